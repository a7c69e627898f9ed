"""The number of supervised tokens in each arm's training. A supervised token counts in the loss."""

from raft_exp.evaluation.results import Results


def supervised_tokens(results: Results) -> str:
    """Returns the supervised tokens of the trained arms in one sentence; "" for results without them."""
    trained = {name: arm["supervised_tokens"] for name, arm in results["arms"].items() if "supervised_tokens" in arm}
    if not trained:
        return ""
    return f"Supervised tokens in training: {', '.join(f'{name} {tokens:,}' for name, tokens in trained.items())}."
