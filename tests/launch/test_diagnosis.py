"""The ``diagnose`` tool by config: for commands that call tools, and for synthesis."""

from types import SimpleNamespace

import pytest

from medr_jax.diagnosis.config import DiagnosisConfig
from medr_jax.launch import diagnosis, stages
from medr_jax.launch.stages import PathsConfig
from medr_jax.questions.config import QuestionConfig
from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.corpus import documents_from_graph
from medr_jax.retrieval.index import build_index
from medr_jax.retrieval.search import SearchEngine
from medr_jax.testing.diagnosis import small_graph
from medr_jax.tools.config import ToolName, ToolsConfig
from medr_jax.tools.runtime import standard_tools
from medr_jax.trajectories.config import SynthesisConfig
from medr_jax.trajectories.workshop import Setup
from medr_jax.types import Status, ToolCall

WITH = ToolsConfig(names=[ToolName.search, ToolName.lookup, ToolName.diagnose])
CALL = ToolCall(name="diagnose", arguments={"findings": ["HP:11", "HP:21"]})


@pytest.fixture
def config(tmp_path, monkeypatch):
    graph = small_graph()
    (tmp_path / "graph").mkdir()
    graph.save(tmp_path / "graph")
    build_index(documents_from_graph(graph), tmp_path / "index", IndexConfig())
    made = SimpleNamespace(path=tmp_path / "graph", content_hash=graph.content_hash)
    monkeypatch.setattr(stages, "graph", lambda config: made)
    paths = PathsConfig(artifacts=str(tmp_path / "artifacts"))
    return SimpleNamespace(tools=WITH, diagnosis=DiagnosisConfig(), paths=paths, folder=tmp_path)


def test_tools_by_config_weigh_findings(config):
    engine = SearchEngine.open(config.folder / "index")
    with standard_tools(diagnosis.tool_sources(config, engine), config.tools) as tools:
        result = tools.call(CALL)
    assert (result.status, result.hits[0].doc_id) == (Status.OK, "D:1")


def test_synthesis_can_hold_the_tool(config):
    def setup(source):
        return Setup(
            graph_path=str(config.folder / "graph"),
            index_path=str(config.folder / "index"),
            questions=QuestionConfig(),
            tools=config.tools,
            synthesis=SynthesisConfig(),
            diagnosis=source,
        ).open()

    bench = setup(diagnosis.of_tools(config))
    assert [schema["name"] for schema in bench.tool_schemas] == ["search", "lookup", "diagnose"]
    assert bench.tools_for("test").call(CALL).hits[0].doc_id == "D:1"
    with pytest.raises(ValueError, match="diagnose, which needs a diagnosis"):
        _ = setup(None).tool_schemas


def test_without_the_tool_nothing_is_built_and_no_key_changes(config):
    config.tools = ToolsConfig()
    assert diagnosis.of_tools(config) is None
    assert diagnosis.settings(config) == {}
    engine = SearchEngine.open(config.folder / "index")
    standard_tools(diagnosis.tool_sources(config, engine), config.tools).close()
    assert not (config.folder / "artifacts").exists()
    config.tools = WITH
    assert diagnosis.settings(config) == {"diagnosis": config.diagnosis}
