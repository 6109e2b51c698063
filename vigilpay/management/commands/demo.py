"""Everything at once, for a first look."""

import signal
import sys
import time
from contextlib import ExitStack
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from customers.models import Customer
from vigilpay import demo, localdb
from vigilpay.processes import exits, interrupts
from vigilpay.processes.children import Child

CUSTOMERS = 10_000
STOP_SPARE_SECONDS = 10


class Command(BaseCommand):
    help = "Start database, web server and worker with demo customers, and show a score that follows an edit."
    has_shown_all = False  # then Ctrl-C is how it is meant to end

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="stop after the first edit; exits with 1 if the score did not follow"
        )
        parser.add_argument("--port", type=int, default=8000, help="of the web server (default 8000)")

    def handle(self, *args: Any, check: bool, port: int, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("The demo creates customers and an admin account: run it with VIGILPAY_ENV=development.")
        for end in (signal.SIGTERM, signal.SIGHUP):  # stopped by another program, or a closed terminal, as by Ctrl-C
            signal.signal(end, signal.default_int_handler)
        with localdb.started_for_now(), ExitStack() as cleanup:
            try:
                self.show(cleanup, check=check, port=demo.free_port(port))
            except demo.DemoFailedError as failure:
                raise CommandError(str(failure)) from failure
            except KeyboardInterrupt:
                self.write_line(
                    "\nStopping everything (Ctrl-C again: at once). `make demo` goes on with the same customers."
                )
                if not self.has_shown_all:
                    sys.exit(exits.INTERRUPTED)

    def write_line(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()  # in a pipe, too, our lines stand in order between those of the children

    def show(self, cleanup: ExitStack, *, check: bool, port: int) -> None:
        self.make_customers()
        began = timezone.now()
        base = f"http://127.0.0.1:{port}"
        children = [
            self.start(cleanup, "web server", "runserver", "--noreload", "--skip-checks", f"127.0.0.1:{port}"),
            # It stops within a drain's time and a little more, and nothing else could clear its cluster away.
            self.start(cleanup, "worker", "run_worker", stop_seconds=settings.DRAIN_SECONDS + STOP_SPARE_SECONDS),
        ]
        self.write_line("Starting web server and worker; the worker scores all customers without a current score ...")
        demo.wait_until_served(base)
        demo.wait_until_scored(since=began)
        self.follow(base)
        if not check:
            self.stay(children, base)

    def make_customers(self) -> None:
        call_command("migrate", verbosity=0)
        if not Customer.objects.exists():
            self.write_line(f"Creating {CUSTOMERS:,} sample customers ...")
            call_command("seed_demo", customers=CUSTOMERS, verbosity=0)
        password = demo.create_admin()
        if password:
            self.write_line(f"Admin account: {demo.ADMIN}, password: {password}  (shown only once)")

    def follow(self, base: str) -> None:
        followed = demo.follow_an_edit()
        demo.verify(followed, base)
        self.write_line(
            f"\nEdited in plain SQL: {demo.EDIT % followed.customer_id};\n"
            f"  score before  {followed.old_score:.4f}\n"
            f"  score after   {followed.new_score:.4f}\n"
            f"  current after {followed.milliseconds:.1f} ms\n"
            f"Why: {base}/customers/insights/{followed.customer_id}/"
        )

    def start(self, cleanup: ExitStack, name: str, *command: str, **how: Any) -> Child:
        """A child that is stopped at the end, whenever a Ctrl-C comes."""
        with interrupts.held():
            child = Child(name, *command, **how)
            cleanup.callback(child.stop)
        return child

    def stay(self, children: list[Child], base: str) -> None:
        self.has_shown_all = True
        self.write_line(f"\nCustomers by risk: {base}/admin/customers/customer/\nCtrl-C stops everything.")
        while True:
            for child in children:
                if child.has_ended():
                    raise CommandError(f"The {child.name} has ended; see its messages above.")
            time.sleep(0.5)
