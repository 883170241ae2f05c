# For who builds and operates the repository; `./twin` is for who uses the system.
.DEFAULT_GOAL := help
# Where an image sets it, every process compiles what it imports again: a tenth of the tests' time, and of each start.
unexport PYTHONDONTWRITEBYTECODE
python := .venv/bin/python
profiles := failover,flows,observability,embedded,test-site
workspace := contracts platform cli crawler cdc feature-stream rag-api
unit_tests = $(python) -m pytest -n auto --dist worksteal tests/unit tests/contract
resolve = .venv/bin/uv pip compile libs/*/pyproject.toml services/*/pyproject.toml --all-extras --universal \
  --python-version 3.11 --generate-hashes --custom-compile-command 'make lock' --quiet \
  $(addprefix --no-emit-package llm-twin-,$(workspace))
version = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
# The others start processes of their own: one at a time.
other_tests = $(python) -m pytest --ignore tests/unit --ignore tests/contract --ignore tests/faults
faults = $(python) -m pytest tests/faults -k "not mongodb and not rabbitmq and not served" --every-fault embedded --timeout 900
faults_on_servers = $(python) -m pytest tests/faults -k "rabbitmq or served" --every-fault rabbitmq --timeout 900

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Make .venv with everything of requirements.lock
	@PYTHON='$(PYTHON)' scripts/setup

demo: setup ## See it work, in a data folder of its own (FROM=<your feed, page, folder or repository>)
	@.venv/bin/twin demo $${FROM:+"$$FROM"}

up-processes: setup ## Run the system as a process for each service, on a RabbitMQ of its own or RABBITMQ_URL (FLOWS=1..8)
	@FLOWS='$(FLOWS)' FOLDER='$(FOLDER)' $(python) -m benchmarks.up_processes

up: ## Run the system in containers, on MongoDB, RabbitMQ and Qdrant (FLOWS=2; WAY=embedded: in one container)
	@FLOWS='$(FLOWS)' WAY='$(WAY)' scripts/up

down: ## End what make up has started; its data stays (DATA=delete deletes it for good)
	@COMPOSE_PROFILES=$(profiles) scripts/compose down --remove-orphans $(if $(filter delete,$(DATA)),--volumes)
	@$(if $(filter delete,$(DATA)),,echo "The data is kept, in volumes; make down DATA=delete deletes it for good.")

logs: ## Show what the containers say, and go on showing it (SERVICE=cdc for one)
	@COMPOSE_PROFILES=$(profiles) scripts/compose logs --follow --tail 100 $(SERVICE)

status: ## Show the containers, and what the system in them says of itself (WAY=embedded)
	@COMPOSE_PROFILES=$(profiles) scripts/compose ps
	@scripts/compose exec -T $(if $(filter embedded,$(WAY)),embedded,rag-api) twin status

# The system of TWIN_URL and TWIN_API_KEY, else that of make up; without URL or FOLDER a test site of our own.
test-crawl-article: ## Crawl a page, show its way through the running system, and ask (URL=, QUESTION=)
	@scripts/test-crawl article

test-crawl-feed: ## The same with a feed (URL=, QUESTION=)
	@scripts/test-crawl feed

test-crawl-git: ## The same with a Git repository (URL=, QUESTION=)
	@scripts/test-crawl git

test-crawl-folder: ## The same with a folder of this machine (FOLDER=, QUESTION=)
	@scripts/test-crawl folder

demo-crash: setup ## See a system killed three times in the middle of its work, and nothing lost
	@$(python) -m benchmarks.demo_crash

lock: setup ## Resolve the dependencies again into requirements.lock and the images' (LOCK=--upgrade for newer ones)
	$(resolve) --group pyproject.toml:dev $(LOCK) -o requirements.lock
	$(resolve) --constraints requirements.lock --excludes deploy/docker/left-out.txt --no-annotate \
	  -o deploy/docker/requirements.lock

test: setup ## Run every test that needs nothing but this machine, but for the faults
	$(unit_tests)
	$(other_tests)

test-clients: setup-clients ## Run docs/clients.md and the official clients against a system
	$(python) -m pytest tests/clients

setup-clients: setup
	@scripts/setup-clients

lock-clients: setup ## Resolve the clients of tests/clients again (LOCK=--upgrade for newer ones)
	.venv/bin/uv pip compile tests/clients/requirements.in --universal --python-version 3.11 --generate-hashes \
	  --custom-compile-command 'make lock-clients' --quiet $(LOCK) -o tests/clients/requirements.lock
	npm install --prefix tests/clients --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

test-unit: setup ## Run the unit and contract tests, under a minute
	$(unit_tests)

faults: setup ## Survive every fault that SQLite and Edge can have, processes killed for real, under ten minutes
	$(faults)

faults-full: setup ## The same for as long as they last in life, and the sink's histories; writes benchmarks/results/faults*.txt
	$(faults) --full --fault-table benchmarks/results/faults.txt
	$(faults_on_servers) --full --fault-table benchmarks/results/faults-rabbitmq.txt
	$(python) -m pytest tests/integration/test_sink_histories.py --hypothesis-profile full --timeout 7200

faults-rabbitmq: setup ## Survive the faults of a RabbitMQ broker and a vector store's server, under 15 minutes (FULL=--full)
	$(faults_on_servers) -rs $(FULL) $(RABBITMQ)

test-qdrant: setup ## Run the vector store's contracts on a Qdrant server: QDRANT_TEST_URL, or a stand-in of our own
	$(python) -m pytest tests/integration/test_qdrant.py -rs $(QDRANT)

test-mongodb: setup ## Run the adapters' contracts on a real MongoDB: MONGODB_TEST_URL, or a mongod (MONGOD, PATH)
	$(python) -m pytest tests/integration/test_mongodb.py -rs $(MONGODB)

test-rabbitmq: setup ## Run the event log's contract, and what only a broker can show, on a RabbitMQ of its own
	$(python) -m pytest tests/integration/test_rabbitmq.py -rs $(RABBITMQ)

faults-mongodb: setup ## Survive MongoDB's faults on real servers; three members where elections are tested (FULL=--full)
	$(python) -m pytest tests/faults -k mongodb --timeout 900 -rs $(FULL) $(MONGODB)

images: ## Build the services' images, and print their sizes (IMAGES="cdc crawler" for some; DOCKER_BUILD_ARGS=…)
	@for service in $(or $(IMAGES),crawler cdc feature-stream rag-api); do \
	  docker build --file deploy/docker/Dockerfile --target $$service --tag llm-twin/$$service:$(version) \
	    --label org.opencontainers.image.version=$(version) \
	    --label org.opencontainers.image.revision=$$(git rev-parse HEAD) $(DOCKER_BUILD_ARGS) . || exit; done
	@docker images --format 'table {{.Repository}}:{{.Tag}}\t{{.Size}}' --filter 'reference=llm-twin/*:$(version)'

test-images: setup ## Build the images, run the system from them, stop and start it (STANDINS=1: without a registry)
	@PYTHONPATH=tests $(python) -m images.try_images

lint: setup ## Check style and formatting
	.venv/bin/ruff check
	.venv/bin/ruff format --check

format: setup ## Rewrite the files in the house's format
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

types: setup ## Check types: mypy --strict
	.venv/bin/mypy libs services tests benchmarks scripts

imports: setup ## Check who imports whom
	.venv/bin/lint-imports

schemas: setup ## Write the contracts' JSON Schemas; a test compares them with the code
	$(python) -m twin_contracts.schemas

metrics: setup ## Write the tables of docs/metrics.md; a test compares them with code, rules and dashboard
	$(python) -m scripts.metrics

schemas-check: setup
	$(python) -m twin_contracts.schemas --check

bench: bench-embedder bench-ingest bench-freshness bench-api bench-cdc ## Run every benchmark

bench-embedder: setup ## Embedding rate against a bare ONNX loop
	$(python) -m benchmarks.embedder

bench-ingest: setup ## Documents in, beside the bare embedder on the same chunks
	$(python) -m benchmarks.ingest

bench-freshness: setup ## Commit to searchable, idle and during a re-emission
	$(python) -m benchmarks.freshness

bench-backlog: setup ## Memory, rate and stop under backlogs, a book and 100,000 edits; an hour (CASES="posts book" for some)
	$(python) -m benchmarks.backlog $(CASES)

bench-flow: setup ## What a flow takes from RabbitMQ into Qdrant Edge and the publisher puts there, beside one message at a time
	$(python) -m benchmarks.flow

bench-sizes: setup ## Bytes of a document and of a chunk in each store and in memory
	$(python) -m benchmarks.sizes

bench-hostile: setup ## Documents made to keep a program busy: cleaned and chunked in linear time
	$(python) -m benchmarks.hostile

bench-api: setup ## What a chat call costs beside the model, and a hundred streams at once
	$(python) -m benchmarks.api

soak: setup ## Ten minutes of load while anything is killed, a verdict and a plot (SECONDS=600 WAY=up|services CALM=1)
	$(python) -m benchmarks.soak --seconds $(or $(SECONDS),600) --way $(or $(WAY),up) $(if $(CALM),--calm)

bench-scale: setup ## Documents a second by the number of flow processes, each waiting 20 ms per document
	$(python) -m benchmarks.scale

bench-killer: setup ## What a document that kills its process costs its neighbours: their delay without it and beside it
	$(python) -m benchmarks.killer

bench-cdc: setup ## What cdc carries from MongoDB's adapter, and its memory in a re-emission
	$(python) -m benchmarks.cdc

eval-answers: setup ## Answers and refusals over the questions of benchmarks/
	$(python) -m benchmarks.eval_answers

eval-extraction: setup ## What of an article is kept, and what of the page around it, over the pages of benchmarks/
	$(python) -m benchmarks.eval_extraction

size: setup ## Lines of product code beside the size we expect
	@$(python) scripts/size.py

ci: lint types imports schemas-check size setup-clients ## Everything a change has to pass
	$(unit_tests) --require-services
	$(other_tests) --require-services
	$(faults) --require-services
	$(faults_on_servers) --require-services

audit: setup ## Look for known vulnerabilities in the lock; for people and the nightly run
	.venv/bin/uv tool run pip-audit --disable-pip --require-hashes --requirement requirements.lock

clean: ## Remove what tools and builds left behind; environments stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: $(shell awk -F: '/^[a-z-]+:/ { print $$1 }' $(MAKEFILE_LIST))
