"""Starts the operator: settings, leader lease, watches, workers, probes and metrics."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys

import aiohttp
import kopf
from aiohttp import web
from prometheus_client import start_http_server

from reasoning_contract.api import API_VERSION, MANAGER

from . import handlers, metrics, progress
from .acceptance import faults_of_defaults
from .client import Cluster
from .credentials import Access, CredentialsError, find
from .lease import Lease
from .model import Key
from .reconcile import Reconciler
from .settings import PREFIX, Settings, SettingsError, read
from .store import Store
from .watches import Vitals, Watches
from .workqueue import WorkQueue

logger = logging.getLogger(__name__)


def main() -> int:
    """Run the operator until it is told to stop."""
    try:
        settings = read(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    if faulty := faults_of_defaults(settings):
        print(f"{PREFIX}JOB_DEFAULTS: {faulty}", file=sys.stderr)
        return 2
    try:
        access = find(os.environ)
    except CredentialsError as error:
        print(error, file=sys.stderr)
        return 2
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("kopf").setLevel(max(logging.getLevelName(settings.log_level), logging.WARNING))
    start_http_server(settings.metrics_listen_port)
    return asyncio.run(serve(settings, access))


async def serve(settings: Settings, access: Access) -> int:
    """Operate, as the leader where there is a Lease, until a signal or a failure; return the exit code."""
    end = _End()
    end.heed_signals()
    async with access.session() as session:
        cluster = Cluster(session, access.server)
        vitals = Vitals()
        probe = await _serve_probe(settings.liveness_listen_port, vitals)
        work = asyncio.create_task(_work(cluster, access, settings, vitals, end))
        code = await end.code
        work.cancel()
        await asyncio.wait([work])
        await probe.cleanup()
    return code


class _End:
    """How the process ends: whoever says so first."""

    def __init__(self) -> None:
        self.code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def now(self, code: int) -> None:
        if not self.code.done():
            self.code.set_result(code)

    def heed_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.now, 0)


async def _serve_probe(port: int, vitals: Vitals) -> web.AppRunner:
    """Serve /healthz from the loop that everything runs in: it is well as long as that turns and the watches live."""

    async def healthz(_: web.Request) -> web.Response:
        if silent := vitals.silent():
            return web.Response(status=503, text=f"nothing is heard by the watches of: {', '.join(silent)}")
        return web.Response(text="ok")

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    return runner


async def _work(cluster: Cluster, access: Access, settings: Settings, vitals: Vitals, end: _End) -> None:
    """Operate until cancelled; whatever breaks ends the process, for Kubernetes to start another."""
    try:
        if settings.lease_namespace:
            await _lead(cluster, access, settings, vitals, end)
        else:
            await _follow(cluster, access, settings, vitals, end)
    except Exception:
        logger.exception("the operator broke")
        end.now(1)


async def _lead(cluster: Cluster, access: Access, settings: Settings, vitals: Vitals, end: _End) -> None:
    lease = Lease(cluster, settings.lease_namespace, settings.lease_name, f"{socket.gethostname()}-{os.getpid()}")
    await lease.acquire()
    logger.info("leading: this operator holds the Lease %s/%s", settings.lease_namespace, settings.lease_name)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(lease.keep())
            group.create_task(_follow(cluster, access, settings, vitals, end))
    finally:
        await lease.release()


async def _follow(cluster: Cluster, access: Access, settings: Settings, vitals: Vitals, end: _End) -> None:
    metrics.LEADER.set(1)
    await _wait_for_crd(cluster)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        route = progress.straight(session) if settings.progress_route == "pod" else progress.through_api_server(cluster)
        poller = progress.ProgressPoller(route, settings.progress_interval_seconds, lambda key: queue.add(key))
        store = Store(lambda key: queue.add(key))
        job_metrics = metrics.JobMetrics(settings.metrics_keep_seconds)
        reconciler = Reconciler(store, cluster, settings, poller, job_metrics)
        queue: WorkQueue[Key] = WorkQueue(reconciler.reconcile, settings.workers)
        watches = Watches(cluster, store, settings.namespaces, vitals)
        group.create_task(watches.run())
        await watches.ready.wait()  # a job is looked at when its children are known
        group.create_task(queue.run())
        group.create_task(poller.run())
        group.create_task(_watch_jobs(store, access, settings, end))


async def _watch_jobs(store: Store, access: Access, settings: Settings, end: _End) -> None:
    ready = asyncio.Event()

    async def take_signals_back() -> None:
        await ready.wait()
        end.heed_signals()  # kopf took them, and ends more slowly

    async with asyncio.TaskGroup() as group:
        group.create_task(take_signals_back())
        watches = kopf.operator(
            registry=handlers.registry(store, access),
            settings=handlers.kopf_settings(),
            ready_flag=ready,
            identity=MANAGER,  # else kopf looks for a user's name, and in a container there is none
            clusterwide=not settings.namespaces,
            namespaces=settings.namespaces,
        )
        group.create_task(watches)
    raise RuntimeError("kopf stopped watching")


async def _wait_for_crd(cluster: Cluster) -> None:
    """Wait until the API server knows ReasoningTrainingJobs: kopf looks for them only once."""
    while await cluster.get(f"/apis/{API_VERSION}") is None:
        logger.warning("the CRD of %s is not installed: waiting for it", API_VERSION)
        await asyncio.sleep(2)


if __name__ == "__main__":
    sys.exit(main())
