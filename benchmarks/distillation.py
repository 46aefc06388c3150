"""Training `tiny_vit_5m` on a teacher's stored answers, against asking a DeiT-S at every step.

Both ways train the same network on the same augmented views of the same pictures, batch by batch; each in a process of
its own, alternating, so that both see the same machine. Asked: of the ratio that is possible, (student's step +
teacher's forward pass) / student's step, at least 90 %; and peak memory lower by the teacher. Weights are random: they
do not change the time.

    FITNAS_DATA=... python benchmarks/distillation.py --steps 12 --rounds 3
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from results import write_section

from nas.assembly import published_members
from nas.distilling import Teacher
from nas.training.data import augmentation, describe, load
from nas.training.device import cores
from nas.training.epochs import Recipe, Trainer
from nas.training.loop import prepare
from nas.training.stored_logits import Manifest, StoredLogits, append_epoch, records_of, seeds_of, view

SIZE, BATCH, CLASSES = (224, 224), 16, 10


def network_of(name: str) -> Any:
    """A published network with random weights and ten classes."""
    blueprint = published_members()[name][1].blueprint()
    blueprint.arguments["classes"] = CLASSES
    return blueprint.build()


def seconds_a_step(way: str, steps: int, folder: Path) -> dict[str, float]:
    """Medians of `steps` steps, after two to warm up; and the peak memory of the process."""
    description = describe(str(Path(os.environ["FITNAS_DATA"]) / "vision" / "sign_digits_96.zip"))
    pictures = load(description, SIZE, 0, cache=folder)
    vary = augmentation(description, SIZE)
    student = network_of("tiny_vit_5m").train()
    teacher = Teacher("deit_small", network_of("deit_small").eval(), (), SIZE, pictures.mean, pictures.std)
    trainer = Trainer(student, Recipe(1, 1e-3, BATCH), *pictures.train, torch.device("cpu"), 0)
    stored = _stored(folder, description, pictures, vary) if way == "stored" else None
    if way != "online":
        del teacher
    torch.set_num_threads(cores())
    times: dict[str, list[float]] = {"step": [], "teacher": []}
    for step in range(steps + 2):
        chosen = np.arange(step * BATCH, (step + 1) * BATCH) % len(pictures.train.labels)
        began = time.perf_counter()
        if stored is not None:
            images, targets = stored(0, chosen)
        else:
            seeds = seeds_of(0, 0, len(pictures.train.labels))
            images = torch.cat([view(pictures.train.images[i], seeds[i], vary) for i in chosen])
            asked = time.perf_counter()
            targets = torch.from_numpy(teacher.probabilities(images))
            times["teacher"].append(time.perf_counter() - asked)
        trainer._optimizer.zero_grad()
        logits = student(prepare(images, SIZE, pictures.mean, pictures.std))
        torch.nn.functional.cross_entropy(logits, targets).backward()
        trainer._optimizer.step()
        times["step"].append(time.perf_counter() - began)
    found = {name: float(np.median(values[2:])) for name, values in times.items() if values}
    return found | {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _stored(folder: Path, description: Any, pictures: Any, vary: Any) -> StoredLogits:
    """Answers of a made-up teacher: their content does not change the time."""
    out = folder / "logits"
    if not out.is_dir():
        count = len(pictures.train.labels)
        split = {"data": description.hash, "split": pictures.hash, "split_seed": 0, "pictures": count, "seed": 0}
        names = tuple(pictures.class_names)
        shape = {"class_names": names, "size": SIZE, "augmentation": tuple(vary.rules), "top_k": CLASSES}
        manifest = Manifest(teacher="made up", teacher_hash="0", **split, **shape)
        manifest.write(out)
        answers = np.random.default_rng(0).dirichlet(np.ones(CLASSES), count)
        append_epoch(out, manifest, 0, lambda _: [records_of(answers, seeds_of(0, 0, count), manifest.record)])
    return StoredLogits.open(out, pictures, description)


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=("stored", "online"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        print(json.dumps(seconds_a_step(arguments.way, arguments.steps, arguments.folder)))
        return
    found: dict[str, list[dict[str, float]]] = {"online": [], "stored": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            for way, results in found.items():
                command = [sys.executable, __file__, "--way", way, "--folder", folder, "--steps", str(arguments.steps)]
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                results.append(json.loads(output.splitlines()[-1]))
                print(way, results[-1], flush=True)
    online, stored = (float(np.median([one["step"] for one in results])) for results in found.values())
    teacher = float(np.median([one["teacher"] for one in found["online"]]))
    student = online - teacher
    possible, reached = online / student, online / stored
    memory = [float(np.median([one["peak_mib"] for one in results])) for results in found.values()]
    row = {
        "step with an online teacher": f"{online:.2f} s",
        "of it the teacher": f"{teacher:.2f} s",
        "step with stored answers": f"{stored:.2f} s",
        "ratio": f"{reached:.3f}",
        "possible": f"{possible:.3f}",
        "share of the possible": f"{100 * reached / possible:.1f} %",
        "peak memory": f"{memory[0]:.0f} and {memory[1]:.0f} MiB",
    }
    weights = sum(p.numel() for p in network_of("deit_small").parameters()) * 4 / 2**20
    notes = [
        "asked: at least 90 % of the possible ratio; peak memory lower by the teacher, whose weights are "
        f"{weights:.0f} MiB",
        f"tiny_vit_5m and DeiT-S at {SIZE[0]} pixels, batch {BATCH}, sign digits, medians of {arguments.rounds} rounds",
    ]
    write_section("Stored answers against an online teacher", [row], notes)


if __name__ == "__main__":
    main()
