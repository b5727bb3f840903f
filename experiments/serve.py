"""The tools for any agent, over HTTP or MCP (extra "serve"). In: the index. Out: a server.

python -m experiments.serve
python -m experiments.serve serving.transport=mcp_http serving.port=8001
python -m experiments.serve serving.transport=mcp_stdio
MEDR_SERVE_TOKEN=... python -m experiments.serve serving.host=0.0.0.0
"""

from experiments._main import entry_point


@entry_point("serve", "graph", "index", "tools", "diagnosis", "serving", "paths")
def main(config) -> None:
    """Makes sure of the index and serves until Ctrl-C."""
    from medr_jax.launch.serving import serve

    serve(config)


if __name__ == "__main__":
    main()
