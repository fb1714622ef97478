// The theme, and the heartbeat of the list of decisions. Every page works without it.
(() => {
  "use strict";
  const root = document.documentElement;
  const themes = ["system", "light", "dark"];
  let theme = "system";
  try {
    theme = localStorage.getItem("prism-theme") || "system";
  } catch {
    // A browser that keeps nothing for us: the system's theme.
  }
  const wear = (name) => {
    if (name === "system") delete root.dataset.theme;
    else root.dataset.theme = name;
  };
  wear(theme); // before anything is painted

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = button.querySelector("span");
    label.textContent = theme;
    button.hidden = false;
    button.addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      label.textContent = theme;
      wear(theme);
      try {
        localStorage.setItem("prism-theme", theme);
      } catch {
        // It holds for this page only.
      }
    });

    const pause = document.getElementById("pause");
    if (pause === null) return;
    pause.hidden = false;
    pause.addEventListener("click", () => {
      const paused = pause.getAttribute("aria-pressed") !== "true";
      pause.setAttribute("aria-pressed", String(paused));
    });
    setInterval(() => {
      const live = document.getElementById("live");
      const paused = pause.getAttribute("aria-pressed") === "true";
      if (live !== null && !paused && !document.hidden) htmx.trigger(live, "tick");
    }, 2000);
  });
})();
