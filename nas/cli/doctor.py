"""`nas doctor`."""

from nas.cli.options import Json


def doctor(json: Json = False) -> int:
    """Check this machine: versions, processors, accelerator, disk, and whether every part works."""
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.doctor import examine

    findings = examine()
    if json:
        print_json([finding.__dict__ for finding in findings])
    else:
        for finding in findings:
            stdout().print(f"{'ok ' if finding.ok else 'BAD'}  {finding.what}: {finding.detail}", markup=False)
    return 0 if all(finding.ok for finding in findings) else 1
