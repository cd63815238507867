# Two commands for a newcomer: `make demo` and `make test`. Both install what is missing (Rust excepted), start a Docker
# engine if none answers, stop what they started, and need no image registry.

.DEFAULT_GOAL := help
.PHONY: help demo test sim races browser newer-engine mutants lint bench build setup clean-demo up break log down

help: ## Lists what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## Breaks a container and shows how it is healed, on this machine alone
	@bash scripts/demo.sh

test: ## Runs every test, the ones on a real Docker engine, Prometheus and Alertmanager included
	@bash scripts/test.sh

sim: ## Plays simulated worlds: SEEDS=1000000 for so many, SEED=123 for one and its story
	@SEED=$(SEED) SEEDS=$(SEEDS) bash scripts/sim.sh

races: ## Plays races about approvals on the real daemon: ROUNDS=1000 of each
	@ROUNDS=$(or $(ROUNDS),1000) cargo test --locked --test e2e races::

browser: ## Runs the pages in headless Chromium, with a script and without one
	@bash scripts/browser.sh

newer-engine: ## Runs the tests that need an engine once more, on Docker 26.1 in a network namespace of its own
	@bash scripts/newer-engine.sh

mutants: ## Plants bugs into a copy of the tree, one after the other, and expects a test to find each
	@bash scripts/mutants.sh

lint: ## Checks format, lints, and the licences and sources of the dependencies
	@bash scripts/lint.sh

bench: ## Measures the intake of alerts against its ceiling, and the replay of a month
	@bash scripts/setup.sh curl python3 wrk
	@bash scripts/bench.sh
	@bash scripts/bench-simulate.sh

build: ## Builds the binary: target/release/sickbay
	@cargo build --release --locked

setup: ## Installs what the demo and the tests need
	@bash scripts/setup.sh

clean-demo: ## Removes what a killed demo left behind
	@bash scripts/clean-demo.sh

# The larger demonstration of docker-compose.yml; it needs Docker Compose 2 and an image registry.

up: ## Starts the demonstration of docker-compose.yml
	@bash scripts/up.sh

break: ## Breaks its web server (FAULT=kill or FAULT=page)
	@bash scripts/break.sh $(FAULT)

log: ## Follows its incident log
	@docker exec sickbay /sickbay log tail --path /data --follow

down: ## Stops and removes it, with its data
	@DOCKER_GID=0 docker compose down --volumes
