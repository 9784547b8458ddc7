# SPDX-License-Identifier: GPL-2.0-or-later
#
# One Makefile, not recursive: bpf/ -> skeleton -> userspace/, everything built under $(BUILD).
# `make help` lists the targets. V=1 shows the commands, SANITIZE=1 builds with ASan and UBSan, and
# WERROR=0 makes warnings no errors, for packagers. CFLAGS, CPPFLAGS and LDFLAGS of the environment count.

BUILD   ?= .build
CC      ?= gcc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PREFIX  ?= /usr
DESTDIR ?=
SYSCONFDIR ?= /etc
UNITDIR ?= /lib/systemd/system
VERSION := 0.1.0

ifeq ($(V),1)
Q =
say =
else
Q = @
say = @printf '  %-8s %s\n' $(1) $(2);
MAKEFLAGS += --no-print-directory
endif

SANITIZE ?= 0
ifeq ($(SANITIZE),1)
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif

PACKAGES := build-essential pkg-config clang llvm libbpf-dev libxdp-dev libelf-dev zlib1g-dev bpftool \
	libc-ares-dev libevent-dev libconfig-dev libjansson-dev libmaxminddb-dev libsystemd-dev uthash-dev
TEST_PACKAGES := libcmocka-dev iproute2 ethtool procps rbldnsd unbound postfix swaks \
	libio-socket-inet6-perl perl bind9-dnsutils jq tcpdump nftables libidn12 libgnutls-dane0 m4 ca-certificates

LIBS := libbpf libxdp libcares libevent_core libevent_extra libconfig jansson libmaxminddb libsystemd
WERROR ?= 1
IF_WERROR := $(if $(filter 1,$(WERROR)),-Werror)
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(IF_WERROR)
# Recursive on purpose: pkg-config runs when something is compiled, not for `make deps`, which installs it.
LIB_CFLAGS = $(shell pkg-config --cflags $(LIBS))
LIB_LIBS = $(shell pkg-config --libs $(LIBS))
CFLAGS ?= -O2 -g
# A _FORTIFY_SOURCE of the environment counts. Without one, -U is for compilers that define it themselves.
FORTIFY := $(if $(findstring _FORTIFY_SOURCE,$(CFLAGS) $(CPPFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
# Each quoted include is relative to one of these: "base/addr.h" of userspace/, "maps/types.h" of the top.
INCLUDES := -I$(BUILD) -Iuserspace -I.
RG_CFLAGS := -std=gnu11 -D_GNU_SOURCE -DRG_VERSION='"$(VERSION)"' $(WARNINGS) $(INCLUDES) \
	-fstack-protector-strong $(FORTIFY) -fPIE -pthread
RG_LDFLAGS := -pie -pthread -Wl,-z,relro,-z,now
# Packet headers are the same in all kernels: without CO-RE relocations the kernel's BTF is not needed.
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -DBPF_NO_PRESERVE_ACCESS_INDEX -Wall -Wextra $(IF_WERROR) -I. -Ibpf

# Everything but the two files with main() is one library; each program takes from it what it calls.
MAIN_SOURCES := userspace/daemon/main.c userspace/ctl/ctl.c
LIB_SOURCES := $(filter-out $(MAIN_SOURCES),$(sort $(wildcard userspace/*/*.c))) maps/pin.c
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
LIBRARY := $(BUILD)/librepgate.a

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.PHONY: all deps test-deps print-packages demo check check-compilers check-distro check-vm check-load coverage soak bench install install-docs uninstall format help clean tests

all: $(BUILD)/repgated $(BUILD)/repgatectl ## build repgated and repgatectl

help: ## print this
	@echo 'Targets:'
	@sed -n 's/^\([a-z.-]*\):.*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

# --------------------------------------------------------------------------- packages

deps: | $(BUILD)/ ## install what building needs (Debian and derivatives, as root; elsewhere: say what is missing)
	$(Q)dist/packages.sh $(BUILD)/apt.log $(PACKAGES)

test-deps: | $(BUILD)/ ## install what the tests need, too
	$(Q)dist/packages.sh $(BUILD)/apt.log --no-services $(PACKAGES) $(TEST_PACKAGES)

print-packages:
	@echo $(PACKAGES) $(TEST_PACKAGES)

# --------------------------------------------------------------------------- build

$(BUILD)/ $(BUILD)/bpf/ $(BUILD)/tests/:
	$(Q)mkdir -p $@

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c vmlinux.h $(wildcard bpf/*.h maps/*.h) $(firstword $(MAKEFILE_LIST)) | $(BUILD)/bpf/
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(*F)_bpf >$@

SKELETON_USERS := $(patsubst %,userspace/kernel/%.o,loader attach inner_maps held_frame)
$(foreach dir,$(BUILD) $(BUILD)/asan $(BUILD)/fuzz,$(addprefix $(dir)/,$(SKELETON_USERS))): $(BUILD)/filter.skel.h

$(BUILD)/%.o: %.c $(firstword $(MAKEFILE_LIST))
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(RG_CFLAGS) $(LIB_CFLAGS) $(SANITIZERS) -MMD -MP -c $< -o $@

$(LIBRARY): $(LIB_OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/repgated: $(BUILD)/userspace/daemon/main.o $(LIBRARY)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SANITIZERS) $(RG_LDFLAGS) $(LDFLAGS) $^ -o $@ $(LIB_LIBS)

$(BUILD)/repgatectl: $(BUILD)/userspace/ctl/ctl.o $(LIBRARY)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SANITIZERS) $(RG_LDFLAGS) $(LDFLAGS) $^ -o $@ \
		$(shell pkg-config --libs libconfig jansson)

# Whole systems are below distro/ and vm/, and other builds below the others.
-include $(shell find $(BUILD) \( $(foreach dir,distro vm coverage compilers,-path $(BUILD)/$(dir) -o) -false \) -prune \
	-o -name '*.d' -type f -print 2>/dev/null)

# vmlinux.h is in the repository: it is made only when it is asked for by name.
ifneq ($(filter vmlinux.h,$(MAKECMDGOALS)),)
.PHONY: vmlinux.h
endif
vmlinux.h: ## generate vmlinux.h from the running kernel's BTF
	$(call say,GEN,$@)
	$(Q){ echo "/* Generated by 'make vmlinux.h' from the BTF of Linux $$(uname -r), $$(uname -m)." \
		"SPDX-License-Identifier: GPL-2.0-only */"; \
	  $(BPFTOOL) btf dump file /sys/kernel/btf/vmlinux format c; } >$@.new && mv $@.new $@

format: ## format the sources with clang-format
	$(Q)clang-format -i $(shell git ls-files '*.c' '*.h' | grep -v '^vmlinux.h$$')

# --------------------------------------------------------------------------- demo, tests

TOOLS := $(BUILD)/tests/pass.bpf.o $(patsubst tests/tools/%.c,$(BUILD)/tests/%,\
	$(filter-out %.bpf.c,$(wildcard tests/tools/*.c)))

$(BUILD)/tests/%.bpf.o: tests/tools/%.bpf.c vmlinux.h | $(BUILD)/tests/
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/tests/%.skel.h: $(BUILD)/tests/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(*F)_bpf >$@

$(BUILD)/tests/syn_flood.bpf.o: tests/tools/syn_flood.h
$(BUILD)/tests/syn_flood: tests/tools/syn_flood.c tests/tools/syn_flood.h $(BUILD)/tests/syn_flood.skel.h
	$(call say,CC,$@)
	$(Q)$(CC) $(CFLAGS) $(RG_CFLAGS) -I$(BUILD)/tests $< -o $@ $(shell pkg-config --cflags --libs libbpf)

$(filter-out %.o %/syn_flood,$(TOOLS)): $(BUILD)/tests/%: tests/tools/%.c $(firstword $(MAKEFILE_LIST)) | $(BUILD)/tests/
	$(call say,CC,$@)
	$(Q)$(CC) $(CFLAGS) -std=gnu11 $(WARNINGS) $< -o $@

# The library with ASan and UBSan, whatever SANITIZE says, for the unit and packet tests.
TEST_CFLAGS = -O1 -g -std=gnu11 -D_GNU_SOURCE -DRG_VERSION='"$(VERSION)"' -Wall -Wextra $(IF_WERROR) $(INCLUDES) -Itests/packet \
	$(LIB_CFLAGS) $(TEST_SANITIZERS)
TEST_SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ASAN_LIBRARY := $(BUILD)/asan/librepgate.a

$(BUILD)/asan/%.o: %.c $(firstword $(MAKEFILE_LIST))
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) $(COVERAGE) -MMD -MP -c $< -o $@

$(ASAN_LIBRARY): $(LIB_SOURCES:%.c=$(BUILD)/asan/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# A test that includes the .c file of a module, or defines its functions itself, takes its place.
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(sort $(wildcard tests/unit/*/test_*.c)))
PACKET_TESTS := $(patsubst %,$(BUILD)/tests/packet/test_%,filter actions throttle steer index index_races index_hits \
	verdicts list_map programs loader)
PACKET_SHARED := $(patsubst %,$(BUILD)/asan/tests/packet/%.o,rows index_run net run packet)
BUILD_TESTS := $(sort $(wildcard tests/build/test_*.sh))
SOURCE_TESTS := $(sort $(wildcard tests/docs/test_*.sh tests/source/test_*.sh))
E2E_TESTS := $(sort $(wildcard tests/e2e/test_*.sh))

# What the tests of a folder share, its files without "test_", is a library of that folder.
UNIT_SHARED := $(foreach source,$(wildcard tests/unit/*/*.c),$(if $(filter test_%,$(notdir $(source))),,$(source)))
UNIT_SHARED_DIRS := $(patsubst %/,%,$(sort $(dir $(UNIT_SHARED))))
$(foreach folder,$(UNIT_SHARED_DIRS),$(eval $(filter $(BUILD)/$(folder)/%,$(UNIT_TESTS)): $(BUILD)/asan/$(folder)/shared.a)\
	$(eval $(BUILD)/asan/$(folder)/shared.a: $(patsubst %.c,$(BUILD)/asan/%.o,$(filter $(folder)/%,$(UNIT_SHARED)))))

%/shared.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(PACKET_SHARED) $(PACKET_TESTS): $(BUILD)/filter.skel.h
$(BUILD)/tests/unit/%: tests/unit/%.c $(ASAN_LIBRARY) $(BUILD)/asan/tests/packet/packet.o
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) $(COVERAGE) -MMD -MP $< $(filter %.o %/shared.a,$^) $(ASAN_LIBRARY) -o $@ -lcmocka $(LIB_LIBS)

$(BUILD)/tests/packet/%: tests/packet/%.c $(PACKET_SHARED) $(ASAN_LIBRARY)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) $(COVERAGE) -MMD -MP $< $(filter %.o %.a,$^) -o $@ -lcmocka $(LIB_LIBS)

# What runs captures through the programs, and what makes them.
CAPTURES ?=
CAPTURE_TESTS := tests/captures/test_captures.sh
CAPTURE_TOOLS := $(patsubst %,$(BUILD)/tests/captures/%,captures make_captures)
CAPTURE_SHARED := $(patsubst %,$(BUILD)/asan/tests/captures/%.o,capture kernel tshark) $(BUILD)/asan/tests/fuzz/model.o
export CAPTURES

$(BUILD)/tests/captures/%: tests/captures/%.c $(CAPTURE_SHARED) $(PACKET_SHARED) $(ASAN_LIBRARY)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TEST_CFLAGS) $(COVERAGE) -MMD -MP $< $(filter %.o %.a,$^) -o $@ -lcmocka $(LIB_LIBS)

tests: all $(TOOLS) $(BUILD)/bench/fill_pins $(UNIT_TESTS) $(PACKET_TESTS) $(CAPTURE_TOOLS) ## build all, and the tests without running them

demo: test-deps ## show the main job: own namespaces, local zones, a real mail server (as root)
	$(Q)$(MAKE) all $(TOOLS)
	$(Q)BUILD=$(BUILD) tests/demo.sh

# Two at a time where there are two cores; each has namespaces of its own. Nothing runs beside a test that
# measures time.
TEST_JOBS ?= $(if $(filter 1,$(shell nproc)),1,2)
TIMED_TESTS := packet/test_throttle \
	$(addprefix e2e/test_,admission attack hold reload responder_load walks)

check: test-deps ## build and pass the tests: unit, packet rows, captures, end to end (CAPTURES=folders: more of them; as root)
	$(Q)$(MAKE) tests
	$(Q)BUILD=$(BUILD) TEST_JOBS=$(TEST_JOBS) TEST_ALONE="$(TIMED_TESTS)" tests/run.sh $(BUILD)/logs \
		$(UNIT_TESTS) $(PACKET_TESTS) $(CAPTURE_TESTS) $(BUILD_TESTS) $(SOURCE_TESTS) $(E2E_TESTS)

check-compilers: deps ## compile with every installed gcc and clang: -O3, hardening flags, WERROR=0 (COMPILERS=...)
	$(Q)BUILD=$(BUILD) tests/compilers.sh

# Installs debootstrap and git only: what the tests of a release need is installed in its root.
check-distro: | $(BUILD)/ ## demo, check and check-compilers in fresh Debian roots (RELEASES="bookworm trixie", as root)
	$(Q)dist/packages.sh $(BUILD)/apt.log debootstrap git
	$(Q)BUILD=$(BUILD) tests/distro.sh $(RELEASES)

# gcov without ASan: both together are slow. The agent has the -O1 of the unit tests' library, so that the
# same lines count in both. Built anew each time: notes of a file that has changed would count old lines.
COVERAGE_BUILD := $(BUILD)/coverage
coverage: test-deps ## line coverage of userspace/ by all tests (COVERAGE_E2E=0: without the end-to-end tests; as root)
	$(Q)rm -rf $(COVERAGE_BUILD)
	$(Q)$(MAKE) tests BUILD=$(COVERAGE_BUILD) COVERAGE=--coverage TEST_SANITIZERS= CFLAGS='-O1 -g --coverage'
	$(Q)BUILD=$(COVERAGE_BUILD) TEST_JOBS=$(TEST_JOBS) TEST_ALONE="$(TIMED_TESTS)" tests/coverage.sh \
		$(patsubst $(BUILD)/%,$(COVERAGE_BUILD)/%,$(UNIT_TESTS) $(PACKET_TESTS))

VM_PACKAGES := qemu-system-x86 busybox-static cpio kmod xz-utils zstd lz4 xdp-tools systemd dbus

check-vm: test-deps ## the tests that depend on the kernel, under Debian's kernels in qemu (KERNELS=..., VM_TESTS=..., as root)
	$(Q)dist/packages.sh $(BUILD)/apt.log --no-services $(VM_PACKAGES)
	$(Q)test -x /usr/lib/qemu/virtiofsd || dist/packages.sh $(BUILD)/apt.log virtiofsd
	$(Q)$(MAKE) tests $(BUILD)/fuzz/fuzz_filter
	$(Q)BUILD=$(BUILD) tests/vm/run.sh $(KERNELS)

check-load: test-deps ## what needs a quiet machine: DNS faults, a SYN flood, rounds of kill and restart (CPU_PERCENT=50: half as fast; as root)
	$(Q)$(MAKE) tests
	$(Q)CPU_PERCENT=$(or $(CPU_PERCENT),100) BUILD=$(BUILD) tests/run.sh $(BUILD)/logs $(sort $(wildcard tests/load/test_*.sh))

soak: test-deps ## half an hour of everything with an ASan build: memory stays flat (SOAK_SECONDS=1800, as root)
	$(Q)$(MAKE) all $(TOOLS)
	$(Q)BUILD=$(BUILD) tests/load/soak.sh

# --------------------------------------------------------------------------- bench

BENCH := $(patsubst %,$(BUILD)/bench/%,verdict_cost attach addresses fill_pins dns_time ablation ablation_table)
BENCH_SHARED := $(patsubst %,tests/bench/%.c,fill measure population)
# What repgate is compared with; the bench says which of them are missing.
BENCH_PACKAGES := xdp-tools ipset iptables

bench: test-deps ## measure, in ratios within one run (as root; PART=drop for one part, see tests/bench/run.sh)
	-$(Q)dist/packages.sh $(BUILD)/apt.log --no-services $(BENCH_PACKAGES) >&2
	$(Q)$(MAKE) all $(TOOLS) $(BENCH) $(BUILD)/bench/drop.bpf.o >&2
	$(Q)BUILD=$(BUILD) tests/bench/run.sh $(PART)

$(BUILD)/bench/:
	$(Q)mkdir -p $@

$(BUILD)/bench/%.bpf.o: tests/bench/%.bpf.c vmlinux.h $(wildcard bpf/*.h bpf/*.c maps/*.h tests/bench/*.h) | $(BUILD)/bench/
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/bench/%.skel.h: $(BUILD)/bench/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(*F)_bpf >$@

$(BUILD)/bench/ablation: $(BUILD)/bench/ablation.skel.h
$(BUILD)/bench/%: tests/bench/%.c $(BENCH_SHARED) $(BUILD)/bench/verdict.skel.h $(BUILD)/filter.skel.h $(LIBRARY) \
		$(wildcard tests/bench/*.h) | $(BUILD)/bench/
	$(call say,CC,$@)
	$(Q)$(CC) $(CFLAGS) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(INCLUDES) -I$(BUILD)/bench \
		$(filter %.c %.a,$^) -o $@ -lbpf -lpthread -lm

# --------------------------------------------------------------------------- fuzzing

FUZZ_FRAMES ?= 20000000
FUZZ_SECONDS ?= 60
FUZZERS := config lists dns control ring smtp
FUZZ_CFLAGS = -g -O2 -std=gnu11 -D_GNU_SOURCE -DRG_VERSION='"$(VERSION)"' $(WARNINGS) $(INCLUDES) $(LIB_CFLAGS) \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_LIBRARY := $(BUILD)/fuzz/librepgate.a
FUZZ_OPTIONS_config := -detect_leaks=0 -max_len=8192
FUZZ_OPTIONS_dns := -max_len=1500
FUZZ_OPTIONS_ring := -max_len=400
.PHONY: fuzz fuzz-filter $(FUZZERS:%=fuzz-%)

$(BUILD)/fuzz/:
	$(Q)mkdir -p $@

# Not with ASan: it tests the programs in the kernel, with as many frames as possible.
$(BUILD)/fuzz/fuzz_filter: $(addprefix tests/fuzz/,fuzz_filter.c model.c frames.c) $(LIBRARY) \
		$(BUILD)/filter.skel.h $(wildcard tests/fuzz/*.h) | $(BUILD)/fuzz/
	$(call say,FUZZ,$@)
	$(Q)$(CC) -O2 -g -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(INCLUDES) $(filter %.c %.a,$^) -o $@ -lbpf -lpthread

# The library built by clang, with libFuzzer's coverage.
$(BUILD)/fuzz/%.o: %.c $(firstword $(MAKEFILE_LIST))
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

$(FUZZ_LIBRARY): $(LIB_SOURCES:%.c=$(BUILD)/fuzz/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(FUZZERS:%=$(BUILD)/fuzz/%): $(BUILD)/fuzz/%: tests/fuzz/fuzz_%.c $(FUZZ_LIBRARY)
	$(call say,FUZZ,$@)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer -MMD -MP $< $(filter %.a,$^) -o $@ $(LIB_LIBS)

fuzz-filter: $(BUILD)/fuzz/fuzz_filter ## random frames: the XDP programs against a model (FUZZ_FRAMES=20000000, as root)
	$(Q)$< --frames $(FUZZ_FRAMES) --seed $$(date +%s)
	$(Q)$< --frames $$(($(FUZZ_FRAMES) / 10)) --seed $$(date +%s) --no-hold

$(FUZZERS:%=fuzz-%): fuzz-%: $(BUILD)/fuzz/%
	$(Q)mkdir -p $(BUILD)/fuzz/corpus_$*
	$(Q)$< -max_total_time=$(FUZZ_SECONDS) -max_len=4096 $(FUZZ_OPTIONS_$*) -timeout=10 -print_final_stats=1 \
		$(patsubst %,-dict=%,$(wildcard tests/fuzz/$*.dict)) -artifact_prefix=$(BUILD)/fuzz/$*. \
		$(BUILD)/fuzz/corpus_$* tests/fuzz/corpus_$* >$(BUILD)/fuzz/$*.log 2>&1 || { tail -40 $(BUILD)/fuzz/$*.log; exit 1; }
	@echo "fuzz-$*: $$(grep -a DONE $(BUILD)/fuzz/$*.log)"

fuzz: fuzz-filter $(FUZZERS:%=fuzz-%) ## all fuzzers (FUZZ_SECONDS=60 for each parser, FUZZ_FRAMES)

# --------------------------------------------------------------------------- installation

SBIN := $(DESTDIR)$(PREFIX)/sbin
BIN := $(DESTDIR)$(PREFIX)/bin
SHARE := $(DESTDIR)$(PREFIX)/share
MAN := $(SHARE)/man
DOC := $(SHARE)/doc/repgate
COMPLETIONS := $(SHARE)/bash-completion/completions
ETC := $(DESTDIR)$(SYSCONFDIR)/repgate
SYSUSERS := $(DESTDIR)/usr/lib/sysusers.d

install: all install-docs ## install programs, unit, manual pages and a sample configuration (DESTDIR, PREFIX)
	install -d $(SBIN) $(BIN) $(SHARE)/repgate $(DESTDIR)$(UNITDIR) $(SYSUSERS)
	install -d -m 755 $(ETC) $(ETC)/approved.d $(ETC)/blocked.d
	install -m 755 $(BUILD)/repgated $(SBIN)
	install -m 755 $(BUILD)/repgatectl $(BIN)
	install -m 644 -D dist/repgatectl.bash $(COMPLETIONS)/repgatectl
	install -m 755 maps/inspect.sh $(SHARE)/repgate
	sed 's|/usr/sbin/|$(PREFIX)/sbin/|g; s|/etc/repgate|$(SYSCONFDIR)/repgate|g' dist/repgate.service \
		>$(BUILD)/repgate.service
	install -m 644 $(BUILD)/repgate.service $(DESTDIR)$(UNITDIR)
	install -m 644 dist/repgate.sysusers $(SYSUSERS)/repgate.conf
	@# An existing configuration is kept.
	test -e $(ETC)/repgate.conf || install -m 640 dist/repgate.conf $(ETC)/repgate.conf
	@if [ -z "$(DESTDIR)" ] && command -v systemd-sysusers >/dev/null; then systemd-sysusers repgate.conf; fi
	@# The agent is not root, and reads the file at each reload.
	@if [ -z "$(DESTDIR)" ] && getent group repgate >/dev/null; then chgrp repgate $(ETC)/repgate.conf; fi
	@if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
	@echo "Installed. Next: $(SYSCONFDIR)/repgate/repgate.conf, then systemctl enable --now repgate"

# The pages keep their places in the tree, so that their links work.
install-docs: ## install the manual pages and the documentation alone (DESTDIR, PREFIX)
	install -d $(MAN)/man5 $(MAN)/man8 $(DOC)/docs $(DOC)/maps
	install -m 644 man/*.8 $(MAN)/man8
	install -m 644 man/*.5 $(MAN)/man5
	install -m 644 README.md COPYING $(DOC)
	install -m 644 docs/*.md docs/*.svg $(DOC)/docs
	install -m 644 maps/README.md $(DOC)/maps

uninstall: ## remove what install put in place, but not the configuration
	@if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl disable --now repgate || true; fi
	rm -f $(SBIN)/repgated $(BIN)/repgatectl $(MAN)/man8/repgated.8 $(MAN)/man8/repgatectl.8 \
		$(MAN)/man5/repgate.conf.5 $(DESTDIR)$(UNITDIR)/repgate.service $(SYSUSERS)/repgate.conf \
		$(COMPLETIONS)/repgatectl
	rm -rf $(DOC) $(SHARE)/repgate
	@if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
	@echo "Removed. $(SYSCONFDIR)/repgate and /var/lib/repgate are left."

clean: ## remove what was built
	$(Q)rm -rf $(BUILD)
