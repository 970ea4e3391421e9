# modelsync. `make help` tells what there is; CONTRIBUTING.md tells how to work on it.
VERSION := 0.1.0
ifeq ($(origin CC),default)
CC := gcc
endif
# A variant has a folder of its own, so that switching needs no clean: SAN=address,undefined or COV=1.
comma   := ,
VARIANT := $(if $(SAN),san-$(subst $(comma),-,$(SAN)))$(if $(COV),cov)
B       := build$(if $(VARIANT),/$(VARIANT))
LIBS    := libgit2 yaml-0.1 libcurl libcjson libsodium libevent libevent_openssl libcrypto
DEBS    := libgit2-dev libyaml-dev libcurl4-openssl-dev libcjson-dev libsodium-dev libevent-dev libssl-dev
SKIP_PKG := help clean deps demo-stop
ifneq ($(filter-out $(SKIP_PKG),$(or $(MAKECMDGOALS),all)),)
MISSING := $(shell command -v pkg-config >/dev/null || echo pkg-config; for l in $(LIBS); do pkg-config --exists $$l 2>/dev/null || echo $$l; done)
ifneq ($(and $(MISSING),$(filter-out test demo bench,$(or $(MAKECMDGOALS),all))),)
$(error missing: $(MISSING). Install with `make deps` or: apt-get install build-essential pkg-config $(DEBS))
endif
endif

CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wswitch-enum -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
           -Wno-unused-parameter -Wno-format-nonliteral -Werror=implicit -Werror=return-type $(if $(DEV),-Werror)
ALL_CFLAGS := -std=gnu11 $(WARN) -Iagent -D_GNU_SOURCE -DMODELSYNC_VERSION='"$(VERSION)"' -fstack-protector-strong \
           $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all,-D_FORTIFY_SOURCE=2) \
           $(if $(COV),--coverage -O0) $(shell pkg-config --cflags $(LIBS) 2>/dev/null) $(CFLAGS)
ALL_LIBS := $(shell pkg-config --libs $(LIBS) 2>/dev/null) -lm -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN)) $(if $(COV),--coverage)

SRC     := $(filter-out agent/main.c agent/validator/%,$(wildcard agent/*/*.c))
UNIT    := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/*_test.c))
SUPPORT := $(wildcard tests/unit/support/*.c tests/faults/*.c)
FUZZERS := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
PREFIX  ?= /usr
say      = $(if $(V),,@printf '  %-5s %s\n' $(1) $@;)# V=1 shows whole commands

all: $(B)/modelsync compile_commands.json ## build the agent (build/modelsync)

$(B)/modelsync: $(B)/obj/agent/main.o $(B)/libmodelsync.a
	$(call say,LINK)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LIBS)
$(B)/libmodelsync.a: $(SRC:%.c=$(B)/obj/%.o)
	@rm -f $@
	@$(AR) rcs $@ $^
$(B)/obj/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(B)/obj/agent/cmd/embed.o: $(wildcard manifests-schema/*.yaml)
$(B)/unit/%: $(B)/obj/tests/unit/%.o $(SUPPORT:%.c=$(B)/obj/%.o) $(B)/libmodelsync.a
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LIBS) -lcmocka -lssl
$(B)/fuzz/%: $(B)/obj/tests/fuzz/%_fuzz.o $(B)/obj/tests/fuzz/driver.o $(B)/libmodelsync.a
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LIBS)
$(B)/flags: FORCE
	@mkdir -p $(@D); echo '$(CC) $(ALL_CFLAGS)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS)' > $@
compile_commands.json: Makefile $(SRC)
	@tests/lint/compile_commands.sh '$(CC) $(ALL_CFLAGS)' agent/main.c $(SRC) > $@

check: $(B)/modelsync $(UNIT) $(FUZZERS:%=$(B)/fuzz/%) ## unit tests and fuzz corpora: no cluster, under a minute
	@tests/unit/run.sh $(B)
deps: ## install Debian packages and the test tools' Python packages
	tests/deps.sh install
test: deps ## everything: lint, unit tests, sanitizers, end to end on a real control plane and forge
	tests/run.sh
lint: ## layers, headers, format, clang-tidy, scripts, pinned versions
	tests/lint/lint.sh
demo: deps ## the main job, for real; KUBECONFIG=... uses a cluster of yours
	@$(MAKE) --no-print-directory all
	$$(tests/deps.sh venv)/python tests/demo/demo $(if $(findstring command,$(origin KUBECONFIG)),--kubeconfig $(KUBECONFIG))
demo-stop: ## stop what the demo left running
	python3 tests/demo/demo --stop
bench: deps ## speed and memory against the floor; fails when a target is missed
	@$(MAKE) --no-print-directory all
	$$(tests/deps.sh venv)/python tests/bench/bench $(ARGS)
fuzz: ## fuzz every parser with libFuzzer, SECONDS=60 each
	tests/fuzz/fuzz.sh $(or $(SECONDS),60) $(FUZZERS)
coverage: ## unit-test coverage by folder
	@$(MAKE) --no-print-directory COV=1 check && tests/lint/coverage.sh build/cov
docs: $(B)/modelsync ## write docs/reference/ from the program's own tables
	@mkdir -p docs/reference
	@for p in settings reasons commands; do $(B)/modelsync reference $$p > docs/reference/$$p.md; done
install: $(B)/modelsync ## into DESTDIR and PREFIX, with units, schemas
	install -Dm755 $(B)/modelsync $(DESTDIR)$(PREFIX)/bin/modelsync
	install -d $(DESTDIR)$(PREFIX)/share/modelsync
	install -m644 manifests-schema/*.yaml $(DESTDIR)$(PREFIX)/share/modelsync/
	install -Dm644 systemd/modelsync.service $(DESTDIR)$(PREFIX)/lib/systemd/system/modelsync.service
	install -Dm644 systemd/modelsync.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/modelsync.conf
clean: ## remove what was built (not the test bed's caches)
	@if [ -d build/testbed ]; then tests/cluster/cluster stop --all --clean; tests/forge/forge stop --all --clean; fi
	rm -rf build compile_commands.json
help: ## this text
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -ts'|'
	@echo "  variables: SAN=address,undefined  COV=1  DEV=1 (warnings are errors)  V=1  CC=clang  DESTDIR=  PREFIX="
.PHONY: all check deps test lint demo demo-stop bench fuzz coverage docs install clean help FORCE
.SECONDARY:
-include $(shell test -d $(B)/obj && find $(B)/obj -name '*.d')
