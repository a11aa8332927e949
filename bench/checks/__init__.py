"""Contract checks that plugin authors run on their plugins, and templates for new plugins."""

from bench.checks.contract import (
    Check,
    CheckResult,
    PluginClass,
    checks_for,
    parametrize_with_checks,
    run_checks,
)
from bench.checks.subject import CheckFailed, CheckSkipped
from bench.checks.training_checks import training_job

__all__ = [
    "Check",
    "CheckFailed",
    "CheckResult",
    "CheckSkipped",
    "PluginClass",
    "checks_for",
    "parametrize_with_checks",
    "run_checks",
    "training_job",
]
