"""New credentials in the middle of a wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdcctl.aws.errors import AwsError

if TYPE_CHECKING:
    from cdcctl.aws.session import Aws
    from cdcctl.ui.deploy_watch import DeployWatch


def signed_in(aws: Aws, watch: DeployWatch) -> bool:
    """Ask until there are credentials that AWS takes, or nobody answers."""
    while watch.sign_in(aws.sign_in_command):
        try:
            aws.renew()
        except AwsError as error:
            if not error.is_signed_out:
                raise
        else:
            return True
    return False
