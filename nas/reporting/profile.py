"""What `nas profile` found, as a document and as lines."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.profiling import Profile
from nas.storage.measured_rows import MeasuredRows

if TYPE_CHECKING:
    from rich.console import Console


def profile_document(job: Profile, rows: MeasuredRows) -> dict[str, Any]:
    """Plain JSON values; `networks` in the order of the file, those without figures not measured yet."""
    networks = [
        {"id": architecture.id} | ({} if latency is None else asdict(latency))
        for architecture, latency in zip(rows.architectures, rows.figures, strict=True)
    ]
    return {
        "space": job.space.name,
        "out": str(job.out),
        "export": str(job.folder) if job.folder else None,
        "target": asdict(rows.target),
        "target_in_words": str(rows.target),
        "noise": job.noise(rows),
        "networks": networks,
    }


def print_profile(console: "Console", document: dict[str, Any]) -> None:
    """Where the rows are, and how close the figures."""
    networks, target = document["networks"], document["target_in_words"]
    console.print(f"{document['out']}: {len(networks)} networks of {document['space']}, {target}", markup=False)
    if document["export"]:
        console.print(
            f"{document['export']}/: an .onnx file of each; run them there and fill in the column latency_ms "
            "(milliseconds of one batch)",
            markup=False,
        )
        return
    if networks[0]["spread"] is None:
        values = [network["value"] for network in networks]
        console.print(f"latency {min(values):.3g} to {max(values):.3g} ms, counted in simulation: no run differs")
        return
    latency, spread, drift = (
        np.array([network[name] for network in networks]) for name in ("value", "spread", "drift")
    )
    console.print(
        f"latency {latency.min():.3g} to {latency.max():.3g} ms; a typical run takes "
        f"{100 * np.median(spread):.1f} % longer than the quickest, the second quickest pass "
        f"{100 * np.median(drift):.1f} % (medians)",
        markup=False,
    )
