"""`make test-images`: build every image, run the system from them, and see that it works, stops and goes on.

Nothing is needed but a Docker engine with Compose. Where the registry does not answer, or with STANDINS=1, the servers
are stand-ins (`bases`), whose making wants Debian's debootstrap and root. What it starts is a project of its own, and
is removed at the end, with its volumes; the images stay.
"""

import os
import sys
import tomllib
from collections.abc import Iterable
from contextlib import suppress

from benchmarks.spawn import free_port
from images.bases import COMPOSE, PYTHON, build_standins, make_base, registry_answers
from images.engine import ROOT, Container, Engine, Failed
from images.twin import Twin

OURS = ("crawler", "cdc", "feature-stream", "rag-api")
STOP_SECONDS = 10
QUESTION, TEXT, WORDS = (
    "How long does the varnish dry between two coats?",
    "I let the varnish dry for 14 hours between two coats. Nothing else on a boat takes so much patience.",
    "14 hours",
)
LATER_QUESTION, LATER_TEXT, LATER_WORDS = (
    "What is the oar made of?",
    "The oar is made of ash, because ash bends before it breaks. Spruce is lighter and gives no warning.",
    "ash",
)
TOOLS = ("pip", "uv", "gcc", "cc", "make")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def build(engine: Engine, version: str) -> Engine:
    """Build the images, and return the engine with what Compose needs to know of them."""
    arguments = ""
    standins = os.environ.get("STANDINS") == "1" or not registry_answers(engine)
    if standins:
        say("servers: stand-ins of Debian's packages")
        make_base(engine, say)
        arguments = f"--build-arg PYTHON_IMAGE={PYTHON}"
        engine = Engine({**engine.environment, **COMPOSE})
    given = os.environ.get("DOCKER_BUILD_ARGS", "")
    sizes = engine.run("make", "--no-print-directory", "images", f"DOCKER_BUILD_ARGS={arguments} {given}")
    say(sizes[sizes.index("REPOSITORY") :].rstrip())
    if standins:
        build_standins(engine, f"llm-twin/feature-stream:{version}")
    return engine


def see_no_tools(engine: Engine, version: str) -> None:
    """See that an image runs as nobody in particular, and has nothing that builds or installs."""
    look = f"id -u; for tool in {' '.join(TOOLS)}; do command -v $tool; done; python -c 'import pip' 2>&1 | tail -1"
    for service in OURS:
        found = engine.run("docker", "run", "--rm", f"llm-twin/{service}:{version}", "sh", "-c", look).split("\n")
        if found[:2] != ["10001", "ModuleNotFoundError: No module named 'pip'"]:
            message = f"llm-twin/{service}: expected user 10001 and no tools, found {found}"
            raise Failed(message)


def up(engine: Engine, service: str) -> Twin:
    """Start what there is, show each container's health, and return the system with a key made as the README says."""
    engine.run("scripts/up")
    for one in sorted(engine.containers(), key=lambda one: one.service):
        took = one.seconds_to_healthy
        say(f"  {one.service:<16} {one.health:<10} {'' if took is None else f'{took:.1f} s after its start'}")
    url = f"http://{engine.compose('port', service, '8787').strip()}"
    return Twin(
        url, engine.compose("exec", "-T", service, "twin", "keys", "create", f"images-{os.urandom(4).hex()}").split()[0]
    )


def stop(engine: Engine, containers: Iterable[Container]) -> None:
    """Stop them one after the other: each in order, and in time."""
    for one in containers:
        took, status = engine.stop(one, STOP_SECONDS)
        say(f"  {one.service:<16} stopped in {took:.1f} s with status {status}")
        if status != 0:
            message = (
                f"{one.service} ended with status {status}:\n{engine.run('docker', 'logs', '--tail', '20', one.id)}"
            )
            raise Failed(message)


def see_it_go_on(engine: Engine, service: str, containers: Iterable[str]) -> None:
    """Store, ask, stop, start, ask again: the answer is there, and nothing was embedded for it a second time."""
    twin = up(engine, service)
    twin.put("varnish", TEXT)
    twin.await_indexed("varnish")
    twin.answer(QUESTION, WORDS)
    say("  a document was stored, indexed, and answers its question")
    running = {one.service: one for one in engine.containers()}
    stop(engine, (running[name] for name in containers))
    twin = up(engine, service)
    twin.answer(QUESTION, WORDS)
    if embedded := twin.status()["chunks_embedded"]:
        message = f"{embedded} chunks were embedded after the start; expected none"
        raise Failed(message)
    say("  started again, the document still answers; nothing was embedded again")


def see_services(engine: Engine) -> None:
    """See the services each in a container: crawl, ask, and what was written while nobody works."""
    say("each service in a container:")
    see_it_go_on(engine, "rag-api", OURS)
    engine.run("scripts/compose", "--profile", "test-site", "up", "--detach", "--no-deps", "test-site")
    twin = up(engine, "rag-api")
    _, page, question, words = (ROOT / "tests/site/questions.tsv").read_text("utf-8").splitlines()[0].split("\t")
    twin.crawl(f"http://test-site:8000{page}")
    twin.answer(question, words, seconds=STOP_SECONDS)
    say("  a page was crawled, and answers its question")
    running = {one.service: one for one in engine.containers()}
    stop(engine, (running[name] for name in ("cdc", "feature-stream")))
    twin.put("oar", LATER_TEXT)
    twin = up(engine, "rag-api")
    twin.await_indexed("oar")
    twin.answer(LATER_QUESTION, LATER_WORDS)
    say("  what was stored while cdc and the flow were stopped was indexed afterwards")


def main() -> int:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    own = {"COMPOSE_PROJECT_NAME": "llm-twin-images", "RAG_API_PORT": str(free_port()), "COMPOSE_PROFILES": ""}
    engine = Engine(own)
    try:
        engine.run("docker", "version")
        engine = build(engine, version)
        see_no_tools(engine, version)
        see_services(engine)
        remove(engine)
        say("everything in one container:")
        see_it_go_on(Engine({**engine.environment, "WAY": "embedded"}), "embedded", ["embedded"])
    except Failed as failure:
        with suppress(Failed):
            say(engine.compose("logs", "--no-color", "--tail", "20"))
        say(f"FAILED: {failure}")
        return 1
    finally:
        with suppress(Failed):
            remove(engine)
    say("all of it holds")
    return 0


def remove(engine: Engine) -> None:
    """Remove the project's containers, networks and volumes."""
    profiles = ",".join(engine.compose("config", "--profiles").split())
    everything = Engine({**engine.environment, "COMPOSE_PROFILES": profiles})
    everything.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")


if __name__ == "__main__":
    sys.exit(main())
