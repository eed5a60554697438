"""`gatehouse policy show`, `test`, `simulate`, `explain` and `diff`: what policies say, said, and would say."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from commands.terminal import explained, say, show_json, show_table
from commands.where import on_database, own_tenant
from contracts.errors import NotFound
from engine.store.database import Connection

AsJson = Annotated[bool, typer.Option("--json", help="Output for programs.")]
Name = Annotated[str, typer.Argument(metavar="WORKFLOW", help="Name of a workflow.")]
Wanted = Annotated[str, typer.Argument(metavar="[WORKFLOW]", help="Name of a workflow; by default every one.")]
Json = dict[str, Any]


@explained
def show(
    workflow: Name,
    tool: Annotated[str, typer.Option(help="Only the policies about this tool.")] = "",
    schema: Annotated[bool, typer.Option("--schema", help="The schema, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the Cedar that is made from a workflow's POLICY, with what is written by hand beside it."""
    loaded = _loaded()[workflow]
    if tool:
        loaded.tool(tool)
    text = loaded.policies.text(*([tool] if tool else []))
    if as_json:
        told = {"workflow": loaded.name, "version": loaded.version, "policy_version": loaded.policy_version}
        show_json(told | {"cedar": text, "schema": loaded.policies.schema})
        return
    typer.echo(f"{loaded.policies.schema}\n{text}" if schema else text)


@explained
def try_fixtures(workflow: Wanted = "", as_json: AsJson = False) -> None:
    """Judge the fixtures beside each policy. Exit code 1 where one is judged otherwise, or a policy is never shown."""
    told = [_tested(loaded) for loaded in _chosen(workflow)]
    if as_json:
        show_json(told)
    for one in [] if as_json else told:
        for failed in one["failed"]:
            said = f"{one['workflow']}: {failed['fixture']}: {failed['verdict']} by {failed['rule']}"
            say(f"[bold red]fail[/bold red]  {escape(said)}, expected {failed['expected']}")
        for name in one["never_fired"]:
            say(f"[bold red]fail[/bold red]  {escape(one['workflow'])}: no fixture shows {escape(name)}")
        for problem in one["ungated"]:
            say(f"[bold red]fail[/bold red]  {escape(one['workflow'])}: {escape(problem)}")
        gated = ", ".join(f"{name}: {kind}" for name, kind in one["gate_classes"].items()) or "none"
        say(f"{escape(one['workflow'])}: {one['fixtures']} fixtures, {one['policies']} policies; gate classes: {gated}")
    wrong = any(one["failed"] or one["never_fired"] or one["ungated"] for one in told)
    raise typer.Exit(1 if wrong else 0)


@explained
def simulate(
    workflow: Wanted = "",
    last: Annotated[int, typer.Option(min=1, help="Requests of each workflow that are looked at, the newest.")] = 500,
    as_json: AsJson = False,
) -> None:
    """Judge recorded requests by the policies as they are loaded now; tell which would be judged otherwise."""
    chosen = _chosen(workflow)

    async def look(conn: Connection) -> list[Json]:
        from engine.approvals.history import judged_requests  # noqa: PLC0415  # as below
        from engine.operations.simulating import judged_anew  # noqa: PLC0415

        found = []
        for loaded in chosen:
            rows = await judged_requests(conn, tenant=own_tenant(), workflow=loaded.name, last=last)
            found.append(judged_anew(loaded, rows))
        return found

    told = on_database(look)
    if as_json:
        show_json(told)
        return
    for one in told:
        say(f"{escape(one['workflow'])}: {one['requests']} requests, {len(one['changed'])} would be judged otherwise")
        people = one["decisions"]
        said = f"would have changed {people['overruled']} of {people['by_people']} human decisions"
        say(f"  {said}, spared {people['spared']} that agree with it, asked about {people['asked_anew']} more")
    columns = ["request", "tool", "was", "by", "a person said", "would be", "by "]
    rows = [
        tuple(change[name] for name in ("request_id", "tool", "was", "was_rule", "decision", "now", "now_rule"))
        for one in told
        for change in one["changed"]
    ]
    if rows:
        show_table(columns, rows, spare=("by", "by "))


@explained
def decisions(
    workflow: Wanted = "",
    last: Annotated[int, typer.Option(min=1, help="Decisions of each rule, the newest.")] = 500,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file; by default standard output.")] = None,
) -> None:
    """Write what people decided as examples, one JSON object a line: rejections and edits with their reasons.

    Secrets, card numbers and IBANs are masked, people numbered; what else tells of people in arguments stays.
    """
    from engine.approvals.history import decided_requests  # noqa: PLC0415  # as below
    from engine.operations.examples import examples_of, write_examples  # noqa: PLC0415

    chosen = _chosen(workflow)

    async def look(conn: Connection) -> list[Any]:
        found = []
        for loaded in chosen:
            rows = await decided_requests(conn, tenant=own_tenant(), workflow=loaded.name, last=last)
            found += examples_of(rows, loaded.name)
        return found

    examples = on_database(look)
    if output is None:
        for example in examples:
            typer.echo(example.as_line())
        return
    write_examples(output, examples)
    say(f"{output} holds {len(examples)} decisions.")


@explained
def explain(
    request_id: Annotated[str, typer.Argument(metavar="REQUEST", help="Id of a request.")], as_json: AsJson = False
) -> None:
    """Tell what policy knew of a request, which policies fired and why, and their text where they are loaded."""
    catalog = _loaded()

    async def look(conn: Connection) -> Json:
        from engine.approvals.requests import get_request  # noqa: PLC0415  # as below
        from engine.operations.simulating import explained_request  # noqa: PLC0415

        request = await get_request(conn, request_id, tenant=own_tenant())
        return explained_request(catalog.get(request.workflow), request)

    told = on_database(look)
    if as_json:
        show_json(told)
        return
    say(f"[bold]{escape(told['tool'])}[/bold]: {told['verdict']} {escape(told['role'])}, {escape(told['why'])}")
    for part in ("args", "facts", "host"):
        for name, value in told[part].items():
            say(f"  {part:<6}{escape(f'{name} = {value!r}')}")
    say(f"  policy {told['policy_version']}{'' if told['loaded'] else ', which is not loaded: its text is not shown'}")
    for text in told["fired"].values():
        typer.echo(f"\n{text}")


@explained
def diff(
    before: Annotated[str, typer.Argument(help="A version.")],
    after: Annotated[str, typer.Argument(help="Another version; see: gatehouse versions list.")],
    as_json: AsJson = False,
) -> None:
    """Tell how two versions of a workflow differ in what their policies say."""

    async def look(conn: Connection) -> list[Json]:
        from engine.catalog.versions import manifest_of  # noqa: PLC0415  # as below
        from engine.operations.simulating import differing_rules  # noqa: PLC0415

        return differing_rules(await manifest_of(conn, before), await manifest_of(conn, after))

    told = on_database(look)
    if as_json:
        show_json(told)
        return
    for one in told:
        say(f"{one['change']:<8} {escape(one['what'])}")
        for side in ("before", "after"):
            if one[side] is not None:
                say(f"    {side:<7} {escape(str(one[side]))}")
    if not told:
        say("Both policies say the same.")


def _tested(workflow: Any) -> Json:
    from engine.catalog.fixtures import never_fired, read_fixtures, try_fixture  # noqa: PLC0415  # as below
    from engine.catalog.gate_classes import ungated  # noqa: PLC0415

    tried = [try_fixture(workflow, fixture) for fixture in read_fixtures(workflow.folder)]
    failed = [
        {"fixture": t.fixture.name, "verdict": t.verdict.type, "rule": t.verdict.rule, "expected": t.fixture.verdict}
        for t in tried
        if not t.holds
    ]
    return {
        "workflow": workflow.name,
        "fixtures": len(tried),
        "policies": sum(len(known) for known in workflow.policies.known.values()),
        "failed": failed,
        "never_fired": never_fired(workflow, tried),
        "gate_classes": {tool.name: tool.gate_class for tool in workflow.policy.tools if tool.gate_class},
        "ungated": list(ungated(workflow.policy)),
    }


def _chosen(workflow: str) -> Sequence[Any]:
    catalog = _loaded()
    if workflow and workflow not in list(catalog):
        raise NotFound(f"There is no workflow {workflow!r}.", hint=f"There are: {', '.join(catalog)}.")
    return [catalog[name] for name in ([workflow] if workflow else catalog)]


def _loaded() -> Any:
    # Imported here because it takes seconds that `--help` need not spend.
    from engine.catalog.catalog import load_catalog  # noqa: PLC0415
    from engine.opening import find_registry  # noqa: PLC0415
    from engine.settings import read_settings  # noqa: PLC0415

    return load_catalog(find_registry(read_settings()), routes={})
