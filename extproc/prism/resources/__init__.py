"""The one parser of RoutingTable and ProjectPolicy, used by server, CLI, operator and webhook.

Text goes through four steps, one module each: ``text`` and ``source`` (YAML to values with
places), ``schema`` (defaults and validation by the schema that is also the CRD's), ``lint_*``
(what a schema cannot say), ``compile`` and ``together`` (values of ``prism.routing``). All
problems are collected, each with file, line, column and JSON path.
"""

from prism.resources.compile import to_policy, to_table
from prism.resources.failure import effective_failure_mode
from prism.resources.parse import check, read_document, read_file, read_folder, read_text
from prism.resources.problem import Problem, Severity, has_errors
from prism.resources.resource import Resource, content_hash
from prism.resources.schema import API_VERSION, GROUP, KINDS, PROJECT_POLICY, ROUTING_TABLE
from prism.resources.secrecy import key_hash
from prism.resources.together import Claim, claims, compile_resources, version_of

__all__ = [
    "API_VERSION",
    "GROUP",
    "KINDS",
    "PROJECT_POLICY",
    "ROUTING_TABLE",
    "Claim",
    "Problem",
    "Resource",
    "Severity",
    "check",
    "claims",
    "compile_resources",
    "content_hash",
    "effective_failure_mode",
    "has_errors",
    "key_hash",
    "read_document",
    "read_file",
    "read_folder",
    "read_text",
    "to_policy",
    "to_table",
    "version_of",
]
