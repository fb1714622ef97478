"""Whether a table may really fail open."""

from __future__ import annotations

from collections.abc import Iterable

from prism.routing.bounds import WhenSpent
from prism.routing.catalog import Api, FailureMode, Policy, Table


def rules_out(table: Table, policy: Policy, model: str) -> str:
    """Why a policy keeps its project from a model of the table; empty where it does not."""
    if model in policy.denied_models:
        return f"{model} is denied"
    if policy.allowed_models is not None and model not in policy.allowed_models:
        return f"{model} is not among the allowed models"
    region = table.providers[table.models[model].provider].region
    if policy.allowed_regions is not None and region not in policy.allowed_regions:
        return f"{model} is in the region {region}, which is not allowed"
    return ""


def _may_refuse(policy: Policy) -> str:
    refusing = any(budget.action is WhenSpent.REFUSE for budget in policy.budgets)
    return "a budget of it may refuse requests" if refusing else ""


def effective_failure_mode(table: Table, policies: Iterable[Policy]) -> tuple[FailureMode, str]:
    """The failure mode that is safe for a table, and why.

    While Prism is away Envoy alone sends every request to one static model: nobody checks
    keys, policies are not applied and bodies are not translated. So open is safe only where
    nothing of that would have kept a request from that model. A policy for another table
    keeps its requests from this one, so with such a policy the mode is closed, too.
    """
    if table.failure_mode is FailureMode.CLOSED:
        return FailureMode.CLOSED, "spec.failureMode is Closed"
    if table.require_api_key:
        return FailureMode.CLOSED, "spec.identity.apiKeys is Required"
    task, mode = table.classifier.safe_task, table.default_mode
    first = table.cells[task, mode][0]
    provider = table.providers[table.models[first].provider]
    if provider.api is not Api.OPENAI:
        why = f"{first}, the first model of {task}/{mode}, is not served over the OpenAI API"
        return FailureMode.CLOSED, why
    for policy in policies:
        if policy.table != table.name:
            why = f"its table is {policy.table}"
        else:
            why = rules_out(table, policy, first) or _may_refuse(policy)
        if why:
            return FailureMode.CLOSED, f"ProjectPolicy/{policy.name}: {why}"
    return FailureMode.OPEN, f"every request may use {first}"
