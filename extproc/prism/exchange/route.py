"""The route stage: one request from its headers and body to a rewrite or an answer.

Events come in this order: ``on_headers``, then ``on_body`` unless the headers were all,
then ``on_classified`` where ``Classify`` was asked for. An error found in the headers waits
for the body: answered earlier, Envoy would have to close the client's connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from prism.exchange import answers
from prism.exchange import headers as names
from prism.exchange.attempts import attempts, no_key, race_of
from prism.exchange.caller import caller_of
from prism.exchange.conversation import request_id
from prism.exchange.endpoints import SERVED, UNROUTED, Endpoint, Kind, endpoint_of
from prism.exchange.errors import error
from prism.exchange.feedback import Kept, feedback_answer, read_feedback
from prism.exchange.reading import encoded, encoding_of, read_other, read_routed
from prism.exchange.rewriting import rewrite
from prism.exchange.routed import NO_RACES, MayRetry, Recall, Routed, always, forgetful
from prism.exchange.steps import Classify, Proceed, Reply, RequestHeaders, Step, Submit
from prism.exchange.targets import NONE_RESTS, Live, Resting
from prism.exchange.translation import barred_for
from prism.prompt.document import BadBody, Document
from prism.prompt.kept import Prompt
from prism.routing.budget import SpendingOf, nothing_spent
from prism.routing.catalog import Api, Prompts
from prism.routing.decide import Health, decide, needs_classification
from prism.routing.decision import Decision
from prism.routing.identify import Caller
from prism.routing.other import Other, other_of
from prism.routing.predictor import corrected
from prism.routing.racing import Race, Races, allowed
from prism.routing.signals import Classification, Signals
from prism.routing.trial import Trial, decide_tried


class RouteStage:
    """One request at the route stage. ``routed`` is there once a decision was made for it,
    under ``live`` and with ``health`` as they were when it came; ``race`` where it races."""

    __slots__ = (
        "_asks",
        "_caller",
        "_classified",
        "_document",
        "_endpoint",
        "_held",
        "_key",
        "_may_retry",
        "_method",
        "_recall",
        "_recall_other",
        "_recalled",
        "_request",
        "_signals",
        "_spending_of",
        "decision_id",
        "health",
        "live",
        "race",
        "races",
        "resting",
        "routed",
    )

    def __init__(
        self,
        live: Live,
        health: Health,
        decision_id: str,
        races: Races = NO_RACES,
        resting: Resting = NONE_RESTS,
        may_retry: MayRetry = always,
        spending_of: SpendingOf = nothing_spent,
        recall: Recall = forgetful,
        recall_other: Recall = forgetful,
    ) -> None:
        self.live = live
        self.health = health
        self.races = races
        self.resting = resting
        self.decision_id = decision_id
        self._may_retry = may_retry
        self._spending_of = spending_of
        self._recall = recall
        self._recall_other = recall_other
        self._recalled: str | None = None
        self._held: Reply | None = None
        self._document: Document | None = None
        self._caller: Caller
        self._endpoint: Endpoint
        self._request: RequestHeaders
        self._signals: Signals
        self._method = ""
        self.routed: Routed | None = None
        self.race: Race | None = None

    @property
    def dry_run(self) -> bool:
        """Whether only the decision was asked for."""
        return self._endpoint.kind is Kind.DRY_RUN

    @property
    def free(self) -> bool:
        """Whether no provider charges for it."""
        return self._endpoint.kind is Kind.COUNT

    @property
    def prompt(self) -> Prompt | None:
        """What the project asks to be kept of the prompt, where it does."""
        policy, document = self._caller.policy, self._document
        if policy is None or policy.prompts is Prompts.NOT_KEPT or document is None:
            return None
        return Prompt(self.decision_id, policy.prompts, document.body)

    def on_headers(self, event: RequestHeaders) -> Step:
        """Find out who asks for what."""
        self._request = event
        self._method = event.headers.get(":method", "")
        self._endpoint = endpoint_of(self._method, event.headers.get(":path", ""))
        step = self._look_at_headers()
        if isinstance(step, Reply) and not event.complete:
            self._held = step
            return Proceed()
        if event.complete and isinstance(step, Proceed):
            return self.on_body(b"")
        return step

    def on_body(self, body: bytes) -> Step:
        """Read the body and decide, or ask for a classification first."""
        if self._held is not None:
            return self._held
        try:
            if self._endpoint.kind is Kind.FEEDBACK:
                return self._submit(body)
            return self._read(body)
        except BadBody as bad:
            return self._error(400, bad.code, bad.message, bad.param)

    def on_classified(self, classification: Classification | None, degraded: str | None) -> Step:
        """Decide with the classifier's answer, or with why there is none."""
        self._classified = classification, degraded
        caller = self._caller
        if caller.table.candidate is None or self.free:
            self.routed = self._decided(caller, None)
        else:
            inputs = self.live.plan, caller, self._signals, self._key
            self.routed = decide_tried(*inputs, self._decided)
        return self._answer(self.routed)

    def _answer(self, routed: Routed) -> Step:
        table, decision = self._caller.table, routed.decision
        if self._endpoint.kind is Kind.DRY_RUN:
            return answers.dry_run(routed, self.other(), self.live.version, self.decision_id)
        if (why := decision.refusal) is not None:
            return self._error(why.status, why.code, why.message, again_s=why.retry_after_s)
        found = [self.live.targets[decision.table, name] for name in decision.models]
        targets = attempts(found, table.retry.max_attempts, retry_allowed=routed.retry_allowed)
        if not targets:
            return self._error(503, "missing_credential", no_key(found))
        if decision.race:
            self.race = race_of(table, routed, targets, self.races)
        return rewrite(
            targets,
            table.retry,
            path=self._endpoint.path,
            document=self._document,
            decision=decision,
            decision_id=self.decision_id,
            project_header=self.live.plan.default_table.project_header,
            api=self._endpoint.api,
            race=self.race,
            resting=self.resting,
        )

    def on_submitted(self, step: Submit, kept: Kept) -> Reply:
        """Answer with what became of feedback."""
        return feedback_answer(step.feedback, kept, self.decision_id)

    def other(self) -> Other | None:
        """What the table that has not decided would have, ``None`` where there is no second one.
        It takes as long as deciding, so it is not for a request's way."""
        routed = self.routed
        if routed is None or routed.trial is None:
            return None
        known, degraded = self._classified
        return other_of(
            *(self.live.plan, routed.trial, routed.decision, self._caller, routed.signals),
            *(known, degraded, self.health, routed.spending),
            (self._recalled and self._recall_other(self._recalled)) or routed.held,
            self._barred,
        )

    def _decided(self, caller: Caller, trial: Trial | None) -> Routed:
        """The decision of a caller's table; the last one that is made holds."""
        (known, degraded), table = self._classified, caller.table
        if known is not None:
            known = corrected(table.predictor, known)
        race_allowed = allowed(table, self.races, self.decision_id)
        retry_allowed = self._may_retry(table)
        # Asked again, since others may have spent while this one was being classified.
        spending = self._spending_of(caller.policy)
        held = None if self._recalled is None else self._recall(self._recalled)
        inputs: dict[str, Any] = {
            "degraded": degraded,
            "race_allowed": race_allowed,
            "retry_allowed": retry_allowed,
            "spending": spending,
            "held": held,
            "trial": trial,
        }
        plan, health = self.live.plan, self.health
        decision = decide(plan, caller, self._signals, known, health, **inputs)
        only = self.live.only_api[table.name]
        if only is not self._endpoint.api and (barred := self._barred(decision)):
            self._signals = replace(self._signals, barred=barred)
            decision = decide(plan, caller, self._signals, known, health, **inputs)
        self._caller = caller
        return Routed(
            signals=self._signals,
            classification=known,
            decision=decision,
            race_allowed=race_allowed,
            retry_allowed=retry_allowed,
            spending=spending,
            held=held,
            trial=trial,
        )

    def _barred(self, decision: Decision) -> Mapping[Api, str]:
        """The API that the decision would need and the request can't be said in."""
        found = (self.live.targets[decision.table, name] for name in decision.models)
        return barred_for(self._endpoint.api, self._endpoint.kind, self._document, found)

    def _look_at_headers(self) -> Step:
        headers, endpoint = self._request.headers, self._endpoint
        if endpoint.kind is Kind.UNKNOWN:
            what = f"{self._method[:20]} {endpoint.path[:100]}"
            return self._error(404, "unknown_url", f"No such URL: {what}. Served are {SERVED}.")
        if endpoint.methods and self._method not in endpoint.methods:
            message = f"{self._method[:20]} is not allowed here. Served are {SERVED}."
            refused = self._error(405, "method_not_allowed", message)
            allow = (names.ALLOW, ", ".join(endpoint.methods))
            return replace(refused, headers=(*refused.headers, allow))
        caller = caller_of(self.live.plan, headers)
        if not isinstance(caller, Caller):
            return self._error(caller.status, caller.code, caller.message)
        self._caller = caller
        if endpoint.kind is Kind.MODELS:
            return answers.models(self.live.plan, caller, self.decision_id)
        if endpoint.kind is Kind.MODEL:
            return answers.model(self.live.plan, caller, endpoint.name, self.decision_id)
        encoding = encoding_of(headers)
        if encoding and endpoint.kind not in UNROUTED:
            return self._error(415, "unsupported_encoding", encoded(encoding))
        return Proceed()

    def _read(self, body: bytes) -> Step:
        """Read what is asked, and have it classified where the task matters."""
        headers, endpoint = self._request.headers, self._endpoint
        if endpoint.kind in UNROUTED:
            asked = read_other(endpoint, self._caller.table.auto_names, headers, body)
        else:
            asked = read_routed(endpoint.kind, headers, body, self._caller)
        self._document, self._signals = asked.document, asked.signals
        self._recalled = asked.recalled
        if self._caller.table.candidate is not None:
            self._key = asked.signals.conversation or request_id(self._caller, body)
        if asked.text is None:
            return self.on_classified(None, None)
        spending = self._spending_of(self._caller.policy)
        if needs_classification(self.live.plan, self._caller, asked.signals, spending):
            return Classify(asked.text, self._caller.table.classifier.deadline_ms)
        return self.on_classified(None, None)

    def _submit(self, body: bytes) -> Step:
        return Submit(read_feedback(body), self._caller.project)

    def _error(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        again_s: int | None = None,
    ) -> Reply:
        return error(
            status,
            code,
            message,
            decision_id=self.decision_id,
            param=param,
            api=self._endpoint.api,
            retry_after_s=again_s,
        )
