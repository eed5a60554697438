"""The binding to Cedar: one workflow's policies, parsed once and always evaluated with their schema."""

from collections import Counter
from collections.abc import Mapping

from cedarpy import AuthzResult, Entities, PolicySet, Schema, is_authorized, validate_policies

from contracts.approval import JsonObject
from contracts.errors import ConfigurationError
from contracts.policy import Policy
from engine.policies.generation import Written, policies_of, schema_of
from engine.policies.handwritten import read_handwritten
from engine.policies.kinds import APPROVED, MODE, Kind, Kinds, fitted, kinds_of
from engine.policies.model import Answer, Known, Said

_NO_ENTITIES = Entities.from_json_str("[]")
_SAID: Mapping[str, Said] = {"Allow": "allow", "Deny": "deny", "NoDecision": "nothing"}
USUAL_MODE = "thresholds"


class CedarPolicies:
    """`engine.policies.model.PolicyEngine` of one policy and the Cedar that was written beside it.

    Raises `ConfigurationError` where rules compare what Cedar cannot, where two policies have one name, and where
    `handwritten` does not parse or does not fit the schema.
    """

    def __init__(self, policy: Policy, *, agent: str, handwritten: str = "") -> None:
        self.schema = schema_of(policy)
        self._agent = agent
        self._handwritten = handwritten.strip()
        self._written: dict[str, list[Written]] = {t.name: list(policies_of(policy, t)) for t in policy.tools}
        self._beside = read_handwritten(handwritten, self._written, policy.roles)
        self.known = {name: self._known(name) for name in self._written}
        self._reading = {name: [one for one in known.values() if one.reads] for name, known in self.known.items()}
        self._reads = {tool.name: self._read(tool.name, kinds_of(policy, tool)) for tool in policy.tools}
        self._schema = Schema.from_str(self.schema)
        self._require_sound()
        self._sets = {name: PolicySet.from_str(self.text(name)) for name in self._written}
        self._unasked = {name: PolicySet.from_str(self._text_unasked(name)) for name in self._written}

    def text(self, *tools: str) -> str:
        """The policies as they are evaluated, of these tools or of all; hand-written ones come last."""
        made = [written.text for name in tools or self._written for written in self._written[name]]
        return "\n\n".join(filter(None, [*made, self._handwritten])) + "\n"

    def texts(self, tool: str) -> dict[str, str]:
        """The generated policies about a tool by id."""
        return {one.known.id: one.text for one in self._written[tool]}

    def read_by(self, tool: str) -> list[str]:
        """Names of the facts that policies about a tool look at."""
        return list(self._reads[tool])

    def authorize(self, tool: str, target: str, facts: JsonObject, approved: tuple[str, ...]) -> Answer:
        """As the protocol says; a request that Cedar does not take is an error in the answer."""
        context = self._context(tool, facts, approved)
        request = {
            "principal": {"type": "Agent", "id": self._agent},
            "action": {"type": "Action", "id": tool},
            "resource": {"type": "Target", "id": target.encode(errors="replace").decode()},
            "context": context,
        }
        try:
            policies = self._sets[tool] if approved else self._unasked[tool]
            result = is_authorized(request, policies, _NO_ENTITIES, self._schema)
        except ValueError as error:
            return Answer("nothing", (), (str(error),))
        unknown = [one.id for one in self._reading[tool] if not context.keys() >= one.reads]
        return _answer(result, unknown)

    def _text_unasked(self, tool: str) -> str:
        """Without what only an approval makes fire: half of the policies where most rules ask."""
        made = [one.text for one in self._written[tool] if not one.agreed]
        return "\n\n".join(filter(None, [*made, self._handwritten]))

    def _context(self, tool: str, facts: JsonObject, approved: tuple[str, ...]) -> JsonObject:
        found: JsonObject = {APPROVED: list(approved), MODE: str(facts.get(MODE, USUAL_MODE))}
        for name, kind in self._reads[tool].items():
            value = fitted(facts.get(name), kind)
            if value is not None:
                found[name] = value
        return found

    def _known(self, tool: str) -> dict[str, Known]:
        written = [one.known for one in self._written[tool]]
        beside = [one.known for one in self._beside if tool in one.tools]
        return {one.id: one for one in (*written, *beside)}

    def _read(self, tool: str, kinds: Kinds) -> dict[str, Kind]:
        """What the policies of a tool read, which is all that has to be handed over."""
        names = {name for one in self._written[tool] for name in one.reads}
        names |= {name for one in self._beside if tool in one.tools for name in one.reads}
        return {name: kind for name, kind in kinds.items() if name in names - {APPROVED, MODE}}

    def _require_sound(self) -> None:
        beside = [one.known.id for one in self._beside]
        for name, written in self._written.items():
            ids = Counter([*(one.known.id for one in written), *beside])
            if twice := [one for one, times in ids.items() if times > 1]:
                raise ConfigurationError(f"Two policies about {name!r} have the name {twice[0]!r}.")
        result = validate_policies(self.text(), self._schema)
        if not result.validation_passed:
            said = "; ".join(error.error for error in result.errors)
            raise ConfigurationError(f"The policies do not fit their schema: {said}.")


def _answer(result: AuthzResult, unknown: list[str]) -> Answer:
    diagnostics = result.diagnostics
    named = diagnostics.id_annotations_by_reason
    fired = [named.get(reason, reason) for reason in diagnostics.reasons]
    return Answer(_SAID[result.decision.value], (*fired, *unknown), tuple(map(str, diagnostics.errors)))
