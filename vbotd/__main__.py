"""`python -m vbotd` and the `vbotd` command: errors become messages, and every ending has its exit code."""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended


def main() -> None:
    """Run the command line and exit with its code."""
    import click

    from vbotd.cli import Refusal, cli
    from vbotd.errors import VbotdError

    try:
        result = cli.main(prog_name="vbotd", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except VbotdError as error:
        refusal = Refusal(error)
        refusal.show()
        code = refusal.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort as error:
        # click turns Ctrl-C into Abort as well, and a "no" to a question is no interruption.
        is_interrupt = isinstance(error.__cause__, KeyboardInterrupt)
        click.echo("interrupted" if is_interrupt else "nothing was done", err=True)
        code = INTERRUPTED if is_interrupt else 1
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`vbotd log | head`); Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


if __name__ == "__main__":
    main()
