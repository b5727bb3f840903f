"""The engine's other side: weights, cache and compiled programs on the mesh.

The engine itself is host bookkeeping. Each of several processes has one, for the slots that it
holds; all dispatch the same programs in the same order, each with the arrays of its own slots.
"""

from collections.abc import Callable, Sequence

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from medr_jax import processes, sharding
from medr_jax.models.transformer import Transformer
from medr_jax.sampling import programs
from medr_jax.sampling.config import EngineConfig
from medr_jax.sampling.programs import Sizes
from medr_jax.sampling.weights import make_reshard, sampling_mesh


class Device:
    """Holds the model's arrays by reference where they can stay as they are.

    ``sizes`` count what is this process's. Lists of slots hold (part, a, b, ...) each.
    """

    def __init__(
        self,
        model: Transformer,
        config: EngineConfig,
        mesh: Mesh,
        stop_ids: Sequence[int],
        banned_ids: Sequence[int],
    ):
        """Raises ValueError where slots do not split over the processes."""
        self.mesh = sampling_mesh(mesh, model.config, config)
        self.sizes, self._numbers = own_part(config, self.mesh)
        self.num_compiled = 0
        self._alone = jax.process_count() == 1
        self._rows = NamedSharding(self.mesh, PartitionSpec(sharding.RULES["batch"]))
        graph, params = nnx.split(model)
        self._reshard = make_reshard(params, model.config.dtype, self.mesh, config)
        self._given: nnx.State | None = params
        self._params: nnx.State | None = None  # those given, as sampling wants them
        with jax.set_mesh(self.mesh):
            self._cache = programs.new_cache(model.config, config, self.mesh)
        self.programs = programs.Programs(
            *map(self._jit, programs.build(graph, config, self.mesh, stop_ids, banned_ids))
        )

    @property
    def params(self) -> nnx.State:
        """The weights that sample; laid out when they are first wanted."""
        if self._params is None:
            assert self._given is not None, "weights were released; set_params gives new ones"
            self._params = self._reshard(self._given)
        return self._params

    def set_params(self, params: nnx.State | None) -> None:
        """New weights, wherever they lie; None lets go of those there are."""
        self._given, self._params = params, None

    def largest(self, *numbers: int) -> list[int]:
        """Each number's largest over all processes; all must ask."""
        return processes.agree(*numbers)

    def clear(self, entries: Sequence[tuple[int, int]]) -> None:
        """Empties (part, slot) each."""
        numbered = [(part, int(self._numbers[slot])) for part, slot in entries]
        (slots,), _ = self._lists(numbered, 1, fill=len(self._numbers) * jax.process_count())
        self._dispatch(self.programs.clear, slots)

    def share(self, entries: Sequence[tuple[int, int, int, int]]) -> None:
        """(part, source, target, length): the target begins with the source's prompt."""
        lists, counts = self._lists(entries, 3)
        self._dispatch(self.programs.share, *lists, counts)

    def swap(self, entries: Sequence[tuple[int, int, int]]) -> None:
        """(part, one, other): the two slots exchange their rows."""
        lists, counts = self._lists(entries, 2)
        self._dispatch(self.programs.swap, *lists, counts)

    def prefill(self, *arrays: np.ndarray | None, in_blocks: bool = False) -> None:
        """Arrays as ``programs.prefill`` takes them, of this process's rows."""
        programs = self.programs
        program = programs.prefill_in_blocks if in_blocks else programs.prefill
        self._dispatch(program, *arrays)

    def decode(self, *arrays: np.ndarray) -> np.ndarray:
        """``programs.decode``'s chunk (2, rows, steps): the only device-to-host copy."""
        chunk = self._dispatch(self.programs.decode, *arrays)
        if self._alone:
            return np.asarray(chunk)
        shards = {shard.index[1].start or 0: shard.data for shard in chunk.addressable_shards}
        return np.concatenate([np.asarray(shards[start]) for start in sorted(shards)], axis=1)

    def _lists(
        self, entries: Sequence[tuple[int, ...]], width: int, fill: int = 0
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """(part, a, b, ...) as one array for the a, one for the b, ..., and counts per part.

        Of one compiled shape: each part's share has as many places as slots.
        """
        parts, places = self.sizes.parts, self.sizes.slots
        lists = np.full((width, parts, places), fill, np.int32)
        counts = np.zeros(parts, np.int32)
        for part, *numbers in entries:
            lists[:, part, counts[part]] = numbers
            counts[part] += 1
        return [numbers.reshape(-1) for numbers in lists], counts

    def _dispatch(self, program: Callable, *arrays: np.ndarray | None) -> jax.Array | None:
        with jax.set_mesh(self.mesh):
            out = program(self.params, self._cache, *map(self._place, arrays))
        self._cache, rest = out if isinstance(out, tuple) else (out, None)
        return rest

    def _place(self, array: np.ndarray | None) -> np.ndarray | jax.Array | None:
        if self._alone or array is None:
            return array
        return jax.make_array_from_process_local_data(self._rows, array)

    def _jit(self, function: Callable) -> Callable:
        def counted(*arguments):
            self.num_compiled += 1  # runs when traced only
            return function(*arguments)

        return jax.jit(counted, donate_argnums=1)


def own_part(config: EngineConfig, mesh: Mesh) -> tuple[Sizes, np.ndarray]:
    """Sizes of what this process holds, and the number on the device of each slot of a part.

    Raises:
        ValueError: processes that would hold the same rollouts, or slots that do not split.
    """
    whole, count = programs.sizes(config, mesh), jax.process_count()
    numbers = np.arange(whole.slots)
    if count == 1:
        return whole, numbers
    rows = mesh.shape["data"] * mesh.shape["fsdp"]
    if sharding.row_share(mesh)[1] != count:
        raise ValueError(
            f"mesh: rollouts on {dict(mesh.shape)} over {count} processes: several would hold the "
            "same ones; make mesh.sequence * mesh.tensor a divisor of each process's devices, and "
            "keep sampling.weights=gathered"
        )
    if config.num_slots % rows:
        raise ValueError(
            f"sampling.num_slots={config.num_slots}: with {count} processes it must be a multiple "
            f"of the {rows} parts that rollouts are split into"
        )
    if whole.parts > 1:
        return whole._replace(parts=whole.parts // count), numbers
    place = NamedSharding(mesh, PartitionSpec(sharding.RULES["batch"]))
    spans = place.addressable_devices_indices_map((whole.slots,)).values()
    mine = np.unique(np.concatenate([numbers[span] for span in spans]))
    slots = len(mine)
    return whole._replace(slots=slots, decode_rows=(slots,), prefill_rows=(slots,)), mine
