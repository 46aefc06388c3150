"""`nas devices`."""

from typing import Annotated

import typer

from nas.cli.options import Json


def devices(
    name: Annotated[
        str | None, typer.Argument(metavar="[DEVICE]", help="One device in full.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """List the devices and the budgets that they give."""
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.reporting.catalogue import device_documents
    from predictors.hardware.device import load_device

    documents = device_documents([name] if name else None)
    if json:
        print_json(documents[0] if name else documents)
        return
    console = stdout()
    for device in (load_device(document["name"]) for document in documents):
        limits = device.limits()
        console.print(
            f"[bold]{device.name}[/bold]: {device.core} {device.clock_hz / 1e6:.0f} MHz, for a network: SRAM "
            f"{limits['peak_sram_bytes'] / 1024:.0f} KiB of {device.sram_bytes / 1024:.0f}, flash "
            f"{limits['flash_bytes'] / 1024:.0f} KiB of {device.flash_bytes / 1024:.0f}; runtime {device.runtime}"
        )
        if name:
            console.print(
                f"  {device.title}\n  {device.sram_note.strip()}\n  reserve: {device.reserve.reason.strip()}",
                markup=False,
            )
            for key, source in device.sources.model_dump().items():
                console.print(f"  source of {key}: {source}", markup=False)
