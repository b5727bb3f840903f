"""Batches sampled from the policy that is trained: rollouts, rewards, advantages, the report."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from medr_jax.rl import advantages, batch, credit, loss, trust
from medr_jax.rl.config import KL, Credit, KLPlace, RLConfig
from medr_jax.rl.curriculum import Curriculum
from medr_jax.rl.pace import IterationPace
from medr_jax.rl.rewards import Mark, total_rewards
from medr_jax.rl.rollout import Rollout, Sampler, dump, read_dump
from medr_jax.training.loop import Batch
from medr_jax.types import Question

OPEN = "open-{:06d}.jsonl"
"""An iteration's rollouts, for a run that goes on from a checkpoint between its steps."""

Score = Callable[[Any, Batch], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Roller:
    """From parameters and questions to marked rollouts; ``reference`` are the first parameters."""

    sampler: Sampler
    mark: Mark
    score: Score
    reference: Any

    @contextlib.contextmanager
    def holding(self, params: Any, version: int) -> Iterator[None]:
        """Meanwhile ``sample`` samples from ``params``."""
        self.sampler.engine.set_params(params, version)
        yield
        self.sampler.engine.release_params()

    def sample(
        self, questions: Sequence[Question], names: Sequence[str], G: int
    ) -> list[list[Rollout]]:
        """Groups of rollouts with their reward terms."""
        rollouts = self.sampler(questions, names, G, mark=self.mark)
        return advantages.group_by_id(rollouts, lambda rollout: rollout.group_id, G)

    def measure(
        self, params: Any, rollouts: Sequence[Rollout], config: RLConfig, with_reference: bool
    ) -> tuple[list[np.ndarray], float]:
        """Gives rollouts the trainer's log-probabilities; returns entropies and padding share."""
        if not rollouts:
            return [], 0.0
        packed = batch.pack(rollouts, config, config.num_prompts * config.group_size)
        inputs = batch.model_inputs(packed)
        old, entropies = self.score(params, inputs)
        for rollout, values in zip(rollouts, packed.collect(old), strict=True):
            rollout.old_logprobs = values
        if with_reference:
            ref, _ = self.score(self.reference, inputs)
            for rollout, values in zip(rollouts, packed.collect(ref), strict=True):
                rollout.ref_logprobs = values
        return packed.collect(entropies), batch.padding_share(packed, config)


class RolloutSource:
    """A ``BatchSource``: every ``steps_per_iteration`` batches come from fresh rollouts.

    Its state is the number of batches given and the curriculum's. Between iterations nothing is
    open; within one, what is open lies in ``out/rollouts``, kept as long as the last ``keep``
    states may be gone back to. So a run that was stopped or killed anywhere goes on exactly.
    """

    def __init__(
        self,
        roller: Roller,
        curriculum: Curriculum,
        config: RLConfig,
        out: Path,
        *,
        pace: IterationPace,
        seed: int,
        keep: int = 3,
    ) -> None:
        self._roller = roller
        self._curriculum = curriculum
        self._config = config
        self._folder = Path(out) / "rollouts"
        self._pace = pace
        self._seed = seed
        self._keep = keep
        self._num_given = 0
        self._saved: list[int] = []  # iterations within which the last states were taken
        self._groups: list[list[Rollout]] = []
        self._reports: dict[int, dict[str, float]] = {}

    def next_batch(self, params: Any) -> Batch:
        """The next minibatch, of rollouts sampled now where the last ones are used up.

        Raises:
            TrustError: the rollouts show that the run is broken; they are on disk.
        """
        iteration, place = divmod(self._num_given, self._config.steps_per_iteration)
        if place == 0:
            if timings := self._pace.updated(params):
                self._reports.setdefault(self._num_given, {}).update(timings)
            self._groups = self._roll_out(params, iteration)
        elif not self._groups:
            self._groups = self._reopen(iteration)
        self._num_given += 1
        groups = minibatch(self._groups, self._config, [self._seed, iteration], place)
        rollouts = [one for group in groups for one in group]
        self._pace.hand_over([one for one in rollouts if batch.in_loss(one, self._config)])
        return batch.training_batch(rollouts, self._config)

    def report(self, step: int) -> dict[str, float]:
        """What was measured of the iteration that this optimizer step begins or ends.

        The seconds of its updates are known once the next one begins; where the run pauses
        before that, nothing says them.
        """
        if step == self._num_given:  # no later batch was wanted yet: the run pauses
            self._pace.forget()
        return self._reports.pop(step, {})

    def get_state(self) -> dict[str, Any]:
        """JSON that ``set_state`` takes to go on after the last batch given out."""
        iteration = self._num_given // self._config.steps_per_iteration
        self._saved = [*self._saved, iteration][-self._keep :]
        for path in self._folder.glob(OPEN.replace("{:06d}", "*")):
            if path.name < OPEN.format(self._saved[0]):
                path.unlink(missing_ok=True)  # another process may have been faster
        return {
            "batches": self._num_given,
            "curriculum": self._curriculum.get_state(),
            "saved": list(self._saved),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes to where ``get_state`` was called."""
        self._num_given = int(state["batches"])
        self._saved = list(state["saved"])
        self._curriculum.set_state(state["curriculum"])
        self._groups, self._reports = [], {}
        self._pace.forget()

    def rollouts(self, params: Any, iteration: int) -> tuple[list[list[Rollout]], dict[str, float]]:
        """Marked and measured groups of one iteration, and its report; nothing is trained."""
        config, version = self._config, iteration * self._config.steps_per_iteration
        with self._pace.span("sample_s"):
            groups, drawn = self._draw_groups(params, version, iteration)
        valid = [rollout for group in groups for rollout in group if rollout.valid]
        with self._pace.span("score_s"):
            entropies, padding = self._roller.measure(
                params, valid, config, self._wants_reference(iteration)
            )
        if config.kl is not KL.none and config.kl_place is KLPlace.reward:
            penalize(valid, config)
        compare(groups, config)
        report = trust.measure(groups, entropies, config.trust)
        report |= {"rows/padding": padding, "group/drawn": float(drawn)}
        report |= self._pace.sampled(drawn * config.group_size)
        rates = self._curriculum.rates
        return groups, report | {f"curriculum/{name}": rate for name, rate in rates.items()}

    def _roll_out(self, params: Any, iteration: int) -> list[list[Rollout]]:
        config = self._config
        groups, report = self.rollouts(params, iteration)
        path = self._folder / f"{iteration:06d}.jsonl"
        if config.dump_every and iteration % config.dump_every == 0:
            self._dump(path, groups)
        try:
            trust.require_sound(
                groups,
                report,
                config.trust,
                policy_version=iteration * config.steps_per_iteration,
                first=iteration == 0,
                gated=config.rewards.outcome_gate and not _kl_in_reward(config),
            )
        except trust.TrustError as problem:
            self._dump(path, groups)
            raise trust.TrustError(f"iteration {iteration}: {problem}; rollouts: {path}") from None
        if config.steps_per_iteration > 1:
            self._dump(self._folder / OPEN.format(iteration), groups)
        self._reports[iteration * config.steps_per_iteration + 1] = report
        return groups

    def _draw_groups(
        self, params: Any, version: int, iteration: int
    ) -> tuple[list[list[Rollout]], int]:
        """P groups: the informative ones of all rounds first, then dead ones to fill up."""
        config, P, G = self._config, self._config.num_prompts, self._config.group_size
        live: list[list[Rollout]] = []
        dead: list[list[Rollout]] = []
        with self._roller.holding(params, version):
            for round_number in range(config.sampling_rounds):
                questions = self._curriculum.draw(P)
                names = [f"{iteration:06d}.{round_number}.{place}" for place in range(P)]
                groups = self._roller.sample(questions, names, G)
                for group, question in zip(groups, questions, strict=True):
                    self._learn(question, group)
                compare(groups, config)
                for group in groups:
                    (live if group[0].informative else dead).append(group)
                if len(live) >= P:
                    break
        return [*live, *dead][:P], len(live) + len(dead)

    def _learn(self, question: Question, group: Sequence[Rollout]) -> None:
        right = [rollout.terms.right for rollout in group if rollout.valid]
        if right:
            self._curriculum.update(question, float(np.mean(right)))

    def _wants_reference(self, iteration: int) -> bool:
        every = self._config.trust.reference_every
        needed = self._config.kl is not KL.none
        return needed or iteration == 0 or bool(every and iteration % every == 0)

    def _reopen(self, iteration: int) -> list[list[Rollout]]:
        rollouts = list(read_dump(self._folder / OPEN.format(iteration)))
        return advantages.group_by_id(
            rollouts, lambda rollout: rollout.group_id, self._config.group_size
        )

    def _dump(self, path: Path, groups: Sequence[Sequence[Rollout]]) -> None:
        dump(path, [rollout for group in groups for rollout in group])


def minibatch(
    groups: Sequence[Sequence[Rollout]], config: RLConfig, seed: Sequence[int], place: int
) -> list[Sequence[Rollout]]:
    """The whole groups of an iteration's optimizer step number ``place``, split anew each epoch."""
    epoch, part = divmod(place, config.num_minibatches)
    order = np.arange(len(groups))
    if config.num_minibatches > 1:
        order = np.random.default_rng([*seed, epoch]).permutation(order)
    size = len(order) // config.num_minibatches
    return [groups[index] for index in order[part * size : (part + 1) * size]]


def compare(groups: Sequence[Sequence[Rollout]], config: RLConfig) -> None:
    """Gives each rollout its reward (unless it has one), advantage and whether its group tells."""
    valid_PG = np.array([[rollout.valid for rollout in group] for group in groups])
    rewards_PG = np.array([[rollout.reward for rollout in group] for group in groups])
    marked_PG = total_rewards(
        [[rollout.terms for rollout in group] for group in groups], valid_PG, config.rewards
    )
    rewards_PG = np.where(np.isnan(rewards_PG), marked_PG, rewards_PG)
    advantages_PG = advantages.FUNCTIONS[config.advantage](rewards_PG, valid_PG)
    telling_P = advantages.informative(rewards_PG, valid_PG)
    for p, group in enumerate(groups):
        for g, rollout in enumerate(group):
            rollout.reward = float(rewards_PG[p, g])
            rollout.advantage = float(advantages_PG[p, g])
            rollout.informative = bool(telling_P[p])
        by_turn: list[np.ndarray | None] = [None] * len(group)  # a dump may hold others
        if config.credit is Credit.hop:
            by_turn = credit.by_hop(group, config.gae_lambda)
        for rollout, parts in zip(group, by_turn, strict=True):
            rollout.turn_advantages = parts


def penalize(rollouts: Sequence[Rollout], config: RLConfig) -> None:
    """KL in the reward: R - beta * sum over sampled tokens of the estimate, at pi_old."""
    for rollout in rollouts:
        gaps = (rollout.old_logprobs - rollout.ref_logprobs)[rollout.loss_mask]
        estimates = loss.kl_estimate(jnp.asarray(gaps)[None], config.kl)
        rollout.reward -= config.kl_coef * float(np.sum(np.asarray(estimates, float)))


def _kl_in_reward(config: RLConfig) -> bool:
    return config.kl is not KL.none and config.kl_place is KLPlace.reward
