"""`nas cost`."""

from typing import Annotated

import typer

from nas.cli.options import Json


def cost(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help="A .tflite or .onnx file, architecture.json, RUN:ID, a published name, or an MCUNet configuration.",
            show_default=False,
        ),
    ],
    device: Annotated[
        str | None, typer.Option("--device", help="Price against its limits.", show_default=False)
    ] = None,
    reserve: Annotated[
        str | None, typer.Option("--reserve", help="Memory kept for the rest of the firmware.", show_default=False)
    ] = None,
    runtime: Annotated[
        str | None, typer.Option("--runtime", help="Whose memory rule holds.", show_default=False)
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            "--schedule",
            help="auto (least peak, or least MACs that fit the device), none, or PxN: P x P patches over N blocks.",
            show_default=False,
        ),
    ] = None,
    strict_runtime: Annotated[
        bool, typer.Option("--strict-runtime", help="Only schedules that the runtime's own generator accepts.")
    ] = False,
    count_input: Annotated[bool, typer.Option("--count-input", help="Count the input image in SRAM.")] = False,
    mac_convention: Annotated[
        str | None,
        typer.Option(
            "--mac-convention",
            help="products (default: with attention's), conv-linear or fvcore.",
            show_default=False,
        ),
    ] = None,
    layers: Annotated[bool, typer.Option("--layers", help="Memory and MACs layer by layer, the peak marked.")] = False,
    json: Json = False,
) -> None:
    """Tell what one network costs: MACs, parameters, flash, peak SRAM, exactly."""
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.costing import cost as price
    from nas.reporting.cost import print_cost

    result = price(
        network,
        runtime=runtime,
        schedule=schedule,
        device=device,
        reserve=reserve,
        strict_runtime=strict_runtime,
        count_input=count_input,
        mac_convention=mac_convention,
    )
    if json:
        print_json(result.to_document(layers))
    else:
        print_cost(stdout(), result, layers)
