"""An MCP server about the weather, whose description is read from a file each time: `python weather_server.py FILE`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool

ASKED = {
    "type": "object",
    "required": ["city"],
    "properties": {
        "city": {"type": "string", "maxLength": 40},
        "days": {"$ref": "#/$defs/Days"},
    },
    "$defs": {"Days": {"type": "integer", "minimum": 1, "maximum": 5}},
}
TOLD = {
    "type": "object",
    "required": ["city", "degrees"],
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
}


def weather(said: Callable[[], str]) -> Server[Any]:
    """The server; `said` is asked for the description each time that the tools are listed."""

    async def listed(ctx: Any, params: Any) -> ListToolsResult:
        anything = {"type": "object", "properties": {"arguments": {"type": "object"}}}
        narrow = Tool(name="forecast", description=said(), input_schema=ASKED, output_schema=TOLD)
        return ListToolsResult(tools=[narrow, Tool(name="anything", description="Do it.", input_schema=anything)])

    async def called(ctx: Any, params: Any) -> CallToolResult:
        asked = params.arguments or {}
        if asked["city"] == "Atlantis":
            return CallToolResult(content=[TextContent(type="text", text="there is no such city")], is_error=True)
        return CallToolResult(
            content=[], structured_content={"city": asked["city"], "degrees": 20 + asked.get("days", 1), "more": 1}
        )

    return Server("weather", on_list_tools=listed, on_call_tool=called)


async def _serve(path: Path) -> None:
    server = weather(path.read_text)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(_serve, Path(sys.argv[1]))
