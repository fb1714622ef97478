"""Certificates over the years: nobody ever holds one that another does not trust."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from prism_operator.authority import Pair
from prism_operator.renewal import Content, Part, Terms, renew

PARTS = {
    "operator": Part(("prism-operator",)),
    "extproc": Part(("prism-extproc",), client=True),
    "webhook": Part(("hook.ns.svc", "10.0.0.1")),
}
START = datetime(2026, 1, 1, tzinfo=UTC)
TERMS = Terms()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Held = Mapping[str, Content]


def pair(content: Content, prefix: str = "tls") -> Pair:
    return Pair(content[f"{prefix}.crt"], content[f"{prefix}.key"])


def trusts(one: Content, other: Content, now: datetime) -> bool:
    """Whether the holder of ``one`` takes the certificate of ``other``."""
    presented = pair(other)
    return presented.left(now) > 0 and any(
        presented.signed_by(authority)
        for authority in x509.load_pem_x509_certificates(one["ca.crt"])
        if authority.not_valid_after_utc > now
    )


def all_trust(held: Held, now: datetime) -> bool:
    return all(trusts(a, b, now) for a, b in itertools.permutations(held.values(), 2))


def test_the_first_run_makes_all_and_the_second_changes_nothing() -> None:
    made = renew(PARTS, {}, START, TERMS)
    assert all(pair(content).fits for content in made.values())
    assert all_trust(made, START)
    assert pair(made["webhook"]).names == ["hook.ns.svc", "10.0.0.1"]
    for later in (START, START + HOUR, START + 59 * DAY):
        assert renew(PARTS, made, later, TERMS) == made


def test_client_and_server_certificates_cannot_stand_in_for_each_other() -> None:
    made = renew(PARTS, {}, START, TERMS)
    usages = {
        name: pair(content).parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        for name, content in made.items()
    }
    assert list(usages["extproc"]) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert list(usages["operator"]) == [x509.ExtendedKeyUsageOID.SERVER_AUTH]


def test_no_key_of_an_authority_is_kept() -> None:
    made = renew(PARTS, {}, START, TERMS)
    keys = [content["tls.key"] for content in made.values()]
    authority = x509.load_pem_x509_certificate(made["operator"]["ca.crt"])
    for key in keys:
        assert not Pair(made["operator"]["ca.crt"], key).fits
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_renewal_takes_two_turns() -> None:
    made = renew(PARTS, {}, START, TERMS)
    due = START + 61 * DAY
    laid = renew(PARTS, made, due, TERMS)
    for name, content in laid.items():
        assert content["tls.crt"] == made[name]["tls.crt"], "still in use"
        assert pair(content, "next").fits
    assert renew(PARTS, laid, due + HOUR / 2, TERMS) == laid, "not yet"
    taken = renew(PARTS, laid, due + HOUR, TERMS)
    for name, content in taken.items():
        assert content["tls.crt"] == laid[name]["next.crt"]
        assert "next.crt" not in content
        assert "next.key" not in content


# A third of 90 days holds two turns a fortnight apart.
@pytest.mark.parametrize("step", [DAY, 7 * DAY, 14 * DAY])
def test_over_years_whoever_has_read_up_to_now_trusts_whoever_has_not(step: timedelta) -> None:
    now, held = START, renew(PARTS, {}, START, TERMS)
    seen: set[bytes] = set()
    while now < START + 400 * DAY:
        now += step
        before, held = held, renew(PARTS, held, now, TERMS)
        for mixed in itertools.product([before, held], repeat=len(PARTS)):
            some = {name: of[name] for name, of in zip(PARTS, mixed, strict=True)}
            assert all_trust(some, now), now
        seen.add(held["operator"]["tls.crt"])
        assert len(x509.load_pem_x509_certificates(held["operator"]["ca.crt"])) <= 3
    assert len(seen) > 4


def test_a_secret_that_is_lost_is_made_anew_and_the_others_trust_it() -> None:
    made = renew(PARTS, {}, START, TERMS)
    rest = {name: content for name, content in made.items() if name != "extproc"}
    mended = renew(PARTS, rest, START + DAY, TERMS)
    assert mended["operator"]["tls.crt"] == made["operator"]["tls.crt"]
    assert all_trust(mended, START + DAY)


@pytest.mark.parametrize(
    "spoil",
    [
        {"tls.crt": b"rubbish"},
        {"tls.key": b""},
        {"ca.crt": b"rubbish"},
        {"tls.crt": renew(PARTS, {}, START, TERMS)["operator"]["tls.crt"]},
    ],
    ids=["certificate", "key", "authorities", "another's certificate"],
)
def test_a_damaged_secret_is_made_anew(spoil: dict[str, bytes]) -> None:
    made = renew(PARTS, {}, START, TERMS)
    held = {**made, "operator": {**made["operator"], **spoil}}
    assert all_trust(renew(PARTS, held, START, TERMS), START)


def test_what_has_run_out_is_replaced_at_once() -> None:
    made = renew(PARTS, {}, START, TERMS)
    late = START + 400 * DAY
    assert all_trust(renew(PARTS, made, late, TERMS), late)


def test_other_names_need_another_certificate() -> None:
    made = renew(PARTS, {}, START, TERMS)
    moved = {**PARTS, "webhook": Part(("hook.other.svc",))}
    renamed = renew(moved, made, START, TERMS)
    assert pair(renamed["webhook"]).names == ["hook.other.svc"]
    assert all_trust(renamed, START)
