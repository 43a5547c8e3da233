"""`glassloom runs`: the runs, with state, loss and size."""

from glassloom.cli.options import DEBUG, JSON, RUNS
from glassloom.cli.output import print_json, say, table


def runs(*, runs: RUNS = "runs", json: JSON = False, debug: DEBUG = False) -> None:
    """List the runs, with state, loss and size."""
    from glassloom.api import describe_runs

    found = describe_runs(runs)
    if json:
        print_json({"runs": found})
        return
    if not found:
        say(f"no runs under {runs} yet; train one: glassloom train FILE")
        return
    rows = [
        [
            run["name"],
            run["state"],
            run["model"] or "-",
            run["corpus"] or "-",
            f"{run['step']:,}" if run["step"] is not None else "-",
            f"{run['valid_nats_per_token']:.4f}" if run["valid_nats_per_token"] is not None else "-",
            f"{run['bytes'] / 1e6:.1f} MB",
        ]
        for run in found
    ]
    say(table(rows, ["run", "state", "model", "text", "step", "valid nats/token", "size"], texts=(0, 1, 2, 3)))
