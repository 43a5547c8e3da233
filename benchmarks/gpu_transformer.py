"""One training step of the transformer on a GPU: its share of the bfloat16 peak, and what graphs and compiling give.

    python benchmarks/gpu_transformer.py [--rounds 5] [--minutes 9]

The peak is measured in the same run: a product of two random bfloat16 matrices of 8,192. The step is forward, loss,
backward and fused AdamW under bfloat16 autocast; its operations are three times the forward products of
`LanguageModel.forward_flops`. The target is 45 percent of the peak for widths of 1,024 and more; the small sizes are
launched eagerly, as one captured graph, and compiled. A call that runs out of time is called again.
It needs pydantic beside torch. Not yet run on a GPU.
"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gpu_measuring import Rows, captured, gpu_or_exit, seconds_on_gpu, warmed
from measuring import compared, in_turns

SIZES = {
    "large 1024": {"width": 1024, "layers": 12, "heads": 16, "context": 1024, "batch": 32, "vocabulary": 10_000},
    "large 2048": {"width": 2048, "layers": 12, "heads": 16, "context": 1024, "batch": 16, "vocabulary": 10_000},
    "small 128": {"width": 128, "layers": 4, "heads": 4, "context": 64, "batch": 12, "vocabulary": 65},
    "small 192": {"width": 192, "layers": 8, "heads": 8, "context": 128, "batch": 64, "vocabulary": 65},
    "small 384": {"width": 384, "layers": 6, "heads": 6, "context": 256, "batch": 64, "vocabulary": 65},
}
WAYS = ("eager", "graph", "compiled")


def product_peak() -> float:
    """Floating-point operations a second of a large bfloat16 product of random numbers, the best of several."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    work = warmed(partial(torch.mm, a, b))
    return max(2 * 8192**3 / seconds_on_gpu(work) for _ in range(8))


def step_of(size: dict[str, int], way: str) -> tuple[Callable[[], object], float]:
    """A training step as work without arguments, and its floating-point operations."""
    from glassloom.models import build
    from glassloom.models.transformer import TransformerSettings

    names = ("width", "layers", "heads", "context")
    settings = TransformerSettings(**{name: size[name] for name in names})
    model = build(settings, size["vocabulary"], torch.Generator().manual_seed(1)).to("cuda").train()
    shape = (size["batch"], size["context"])
    tokens = torch.randint(size["vocabulary"], shape, device="cuda")
    targets = torch.randint(size["vocabulary"], shape, device="cuda")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True, capturable=way == "graph")
    weights = torch.full(shape, 1 / targets.numel(), device="cuda")

    def loss_of(tokens: Tensor, targets: Tensor) -> Tensor:
        return model.weighted_nats(model.hidden(tokens)[0], targets, weights)

    forward: Any = torch.compile(loss_of) if way == "compiled" else loss_of

    def work() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, cache_enabled=way != "graph"):
            loss = forward(tokens, targets)
        loss.backward()
        optimizer.step()

    flops = 3 * model.forward_flops(size["context"]) * size["batch"] * size["context"]
    return (captured(work) if way == "graph" else work), flops


def measure(table: Rows, rounds: int, peak: float) -> None:
    """Every row that the table lacks: each size eagerly by itself, the other ways in turns with it."""
    for name, size in SIZES.items():
        for way in WAYS if name.startswith("small") else ("eager", "compiled"):
            if not table.lacks(size=name, way=way):
                continue
            eager, flops = step_of(size, "eager")
            work = eager if way == "eager" else step_of(size, way)[0]
            warmed(eager)
            warmed(work)
            pairs = in_turns(partial(seconds_on_gpu, work), partial(seconds_on_gpu, eager), rounds)
            row = compared(pairs)
            seconds = sorted(pair["ours"] for pair in row["seconds"])[rounds // 2]
            tokens = size["batch"] * size["context"] / seconds
            share = flops / seconds / peak
            table.add({"size": name, "way": way, **size, **row, "share_of_peak": share, "tokens_per_second": tokens})
            torch.cuda.empty_cache()


def main() -> None:
    """Measure what is missing, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=9, help="stop after so many; call again to go on")
    asked = parser.parse_args()
    table = Rows("gpu_transformer", "python benchmarks/gpu_transformer.py", asked.minutes, device=gpu_or_exit())
    peak = product_peak()
    print(f"measured bfloat16 peak: {peak / 1e12:.0f} TFLOP/s")
    measure(table, asked.rounds, peak)
    print(f"{'size':<12}{'way':<10}{'share of peak':>14}{'tokens/s':>14}   against eager")
    for row in table.rows:
        print(
            f"{row['size']:<12}{row['way']:<10}{row['share_of_peak']:>14.1%}{row['tokens_per_second']:>14,.0f}"
            f"   {row['ratio']:.2f}"
        )


if __name__ == "__main__":
    main()
