"""Base of the operators that run a module of the ML environment."""

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from contract import environment
from contract.errors import SettingsError
from contract.state import PROJECT
from dags.operators.process import LogLine, ProcessRunner, Runner


class ModuleOperator(BaseOperator):
    """Runs `python -m <module>` of the ML environment, streams its output, and stops it when told to."""

    _runner: Runner | None = None

    def run_module(self, module: str, arguments: list[str], *, log: LogLine | None = None) -> int:
        """Runs a module to its end.

        Args:
            module: Dotted name of the module, in the project.
            arguments: Its command line.
            log: Receives each line of output; the task log if left out.

        Returns:
            The exit code; negative for the signal that ended the process.
        """
        self._runner = self.make_runner(module, arguments)
        return self._runner.run(log or self.log_line)

    def make_runner(self, module: str, arguments: list[str]) -> Runner:
        """Chooses how the module is run."""
        try:
            python, variables = environment.ml_python(), environment.of_ml_process()
        except SettingsError as error:
            raise AirflowFailException(str(error)) from error
        return ProcessRunner([str(python), "-m", module, *arguments], cwd=PROJECT, environment=variables)

    def log_line(self, line: str) -> None:
        """Writes one line of the module's output to the task log."""
        self.log.info("%s", line)

    def on_kill(self) -> None:
        """Stops the module; Airflow calls this from a signal handler, and after a time-out."""
        if self._runner is not None:
            self._runner.stop()
