# SPDX-License-Identifier: MIT
# GNU make.  Override anything here on the command line: make CC=clang
# CFLAGS=-O0 BUILD=build/o0.  What the code needs is added all the same.
PREFIX    = /usr/local
DESTDIR   =
BINDIR    = $(PREFIX)/bin
MANDIR    = $(PREFIX)/share/man
SHAREDIR  = $(PREFIX)/share/apr-tools
RECIPEDIR = $(PREFIX)/share/apr/recipes
INCLUDEDIR = $(PREFIX)/include/apr-tools
LIBDIR    = $(PREFIX)/lib
COMPDIR   = $(PREFIX)/share
# Where zsh looks by itself, of a package and of a machine.
ZSHDIR    = $(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
BUILD     = build
CC        = cc
CFLAGS    = -O2 -g
WERROR    = -Werror
INSTALL   = install
PKGCONFIG = pkg-config
FUZZ_TIME = 60
FUZZ_SEED = 0
EMULATOR  =
Q         = $(if $(V),,@)# V=1 shows commands
VERSION  := $(shell sed -n 's/.*TOOL_VERSION[^"]*"\(.*\)"/\1/p' tools/tool.h)

PKGS   := libarchive libzstd libxxhash libdeflate yajl zlib libpcre2-8 libutf8proc
PCFLAGS := $(shell $(PKGCONFIG) --cflags $(PKGS) 2>/dev/null)
PLIBS   := $(shell $(PKGCONFIG) --libs $(PKGS) 2>/dev/null) -ljq

override CPPFLAGS += -Iinclude -D_GNU_SOURCE $(PCFLAGS)
override CFLAGS += -std=c11 -ffp-contract=off -Wall -Wextra -Wpedantic -Wconversion \
	-Wshadow -Wstrict-prototypes -Wwrite-strings $(WERROR)
override LDLIBS += -Wl,--as-needed $(PLIBS) -lpthread -lm

LIBSRC := $(wildcard lib/*/*.c)
RECIPES := $(wildcard recipes/*.json)

# Kernels are built once for each instruction set that the machine may have.
MACHINE := $(shell $(CC) -dumpmachine)
ISAS    := $(if $(filter x86_64%,$(MACHINE)),avx2 avx512)$(if $(filter aarch64%,$(MACHINE)),neon)
ISA_avx2   = -mavx2 -mfma -mf16c
ISA_avx512 = $(ISA_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni
SIMD   := $(wildcard lib/kernel/simd/*.c)
KERNELS = $(foreach i,$(ISAS),$(SIMD:%.c=$(BUILD)/%.$i.o))
TOOLS  := $(patsubst tools/%.c,%,$(wildcard tools/apr-*.c))
SHARED := $(filter-out $(TOOLS:%=tools/%.c),$(wildcard tools/*.c))
TESTS  := $(patsubst tests/%.c,%,$(wildcard tests/*.c))
FUZZ   := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
PAGES  := $(wildcard man/*.[1-9])
BIN    := $(TOOLS:%=$(BUILD)/bin/%)

# Where bats and the demo find the programs.
ABS     = $(abspath $(BUILD))
# Tests sync what they write: in memory that costs nothing.
RUN_ENV = TMPDIR="$${TMPDIR:-$$(test -w /dev/shm && echo /dev/shm || echo /tmp)}" APR_BUILD="$(ABS)" PATH="$(ABS)/bin:$$PATH"

all: $(BIN) $(TESTS:%=$(BUILD)/test/%) $(BUILD)/test/stub/libcuda.so.1 $(BUILD)/test/stub/opencl/libOpenCL.so.1 $(BUILD)/test/bench-gpu

# Says at once, and in one line, what a machine without the libraries lacks.
HEADERS = archive.h zstd.h xxhash.h libdeflate.h yajl/yajl_parse.h zlib.h jq.h pcre2.h utf8proc.h
$(BUILD)/ready:
	@mkdir -p $(@D)
	@command -v $(PKGCONFIG) >/dev/null && printf '#include <%s>\n' stdio.h $(HEADERS) | \
	    $(CC) $(CPPFLAGS) -DPCRE2_CODE_UNIT_WIDTH=8 -fsyntax-only -x c - >$@.log 2>&1 || { \
	    echo "make: the compiler, pkg-config or a library is missing: run scripts/setup (see $@.log)" >&2; exit 1; }
	@touch $@

# Changes with the compiler and its flags, so that everything is built anew.
$(BUILD)/flags: force
	@mkdir -p $(@D); f='$(subst ','\'',$(CC) $(CPPFLAGS) $(CFLAGS))'; \
	    echo "$$f" | cmp -s - $@ || echo "$$f" >$@

$(BUILD)/%.o: %.c $(BUILD)/flags | $(BUILD)/ready
	@mkdir -p $(@D); echo "  CC $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
define kernel_rule
$$(BUILD)/%.$1.o: %.c $$(BUILD)/flags | $$(BUILD)/ready
	@mkdir -p $$(@D); echo "  CC $$< ($1)"
	$$(Q)$$(CC) $$(CPPFLAGS) $$(CFLAGS) -DISA=$1 $$(ISA_$1) $$(if $$(findstring /dot_,$$<),$$(DOTFLAGS)) -MMD -MP -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call kernel_rule,$i)))
# The recipes are files to read, and part of the library.
$(BUILD)/presets.c: $(RECIPES) scripts/presets
	@mkdir -p $(@D)
	$(Q)scripts/presets $(RECIPES) >$@
$(BUILD)/presets.o: $(BUILD)/presets.c $(BUILD)/flags
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
# What a GPU compiles is in the library as text.
GPU = $(1:%=lib/device/gpu/%.cl)
GPU_BEGIN = $(call GPU,lang) include/apr/fmath.h include/apr/odds.h $(call GPU,numbers)
$(BUILD)/device_columns.c: $(GPU_BEGIN) $(call GPU,columns attend heads delta act plain multiply_float sample)
$(BUILD)/device_packed.c: $(GPU_BEGIN) $(call GPU,groups values matrices multiply multiply_float)
$(BUILD)/device_%.c: scripts/embed
	@mkdir -p $(@D)
	$(Q)scripts/embed device_$* $(filter-out scripts/embed,$^) >$@
$(BUILD)/device_%.o: $(BUILD)/device_%.c $(BUILD)/flags
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
# As PTX it is the same whatever else is built how.
PTX = $(if $(filter build/%,$(BUILD)),build,$(BUILD))/ptx.c
$(PTX): $(wildcard lib/device/gpu/*.cl lib/device/gpu/cuda/*.cu) include/apr/fmath.h include/apr/odds.h scripts/ptx
	@mkdir -p $(@D); echo "  PTX $@"
	$(Q)scripts/ptx $@
$(BUILD)/ptx.o: $(PTX) lib/device/cuda_api.h $(BUILD)/flags
	$(Q)$(CC) -I. $(CPPFLAGS) $(CFLAGS) -Wno-overlength-strings -c -o $@ $<
$(BUILD)/libapr.a: $(LIBSRC:%.c=$(BUILD)/%.o) $(KERNELS) $(BUILD)/presets.o \
	    $(BUILD)/device_columns.o $(BUILD)/device_packed.o $(BUILD)/ptx.o
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# An archive, so that a program holds (and loads libraries for) what it calls.
$(BUILD)/tools.a: $(SHARED:%.c=$(BUILD)/%.o)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/bin/%: $(BUILD)/tools/%.o $(BUILD)/tools.a $(BUILD)/libapr.a
	@mkdir -p $(@D); echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/test/%: $(BUILD)/tests/%.o $(BUILD)/libapr.a
	@mkdir -p $(@D); echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# What a card can do, beside which make bench-gpu puts models.
$(BUILD)/bench_ptx.c: scripts/bench-gpu.ptx scripts/embed
	@mkdir -p $(@D)
	$(Q)scripts/embed bench_ptx $< >$@
$(BUILD)/test/bench-gpu: scripts/bench-gpu.c $(BUILD)/bench_ptx.c $(BUILD)/libapr.a
	@mkdir -p $(@D); echo "  LD $@"
	$(Q)$(CC) -I. $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# A driver without a card, for tests, that runs PTX.
STUB = $(BUILD)/test/stub/libcuda.so.1
STUBOBJ = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/stub/*.c))
$(STUBOBJ): $(BUILD)/%.o: %.c tests/stub/cuda.h tests/stub/parse.h tests/stub/ptx.h $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O3 -g -ffp-contract=off -fno-math-errno -Wall -Wextra -fPIC -c -o $@ $<
$(STUB): $(STUBOBJ)
	@mkdir -p $(@D); echo "  LD $@"
	$(Q)$(CC) -shared -pthread -Wl,-soname,$(@F) -o $@ $^ -lm
$(BUILD)/test/ptx: $(STUB)

# And an OpenCL whose device goes away.
OPENCL_STUB = $(BUILD)/test/stub/opencl/libOpenCL.so.1
$(OPENCL_STUB): tests/stub/opencl/opencl.c
	@mkdir -p $(@D); echo "  LD $@"
	$(Q)$(CC) -std=gnu11 -O2 -g -Wall -Wextra -fPIC -shared -o $@ $< -ldl

# check and demo set the machine up first; a second make then sees the packages.
check: setup
	@$(MAKE) --no-print-directory all lint golden kernel floats codebook high dot suite && echo "check: passed"
demo: setup
	@$(MAKE) --no-print-directory all demo-now
setup:
	@scripts/setup
golden kernel floats codebook high dot: %: $(BUILD)/test/%
	$(EMULATOR) $<
JOBS = $(shell parallel --version 2>/dev/null | grep -q '^GNU' && echo -j 2)
suite: all
	$(RUN_ENV) bats $(JOBS) tests

demo-now: export PATH := $(ABS)/bin:$(PATH)
demo-now: all
	@mkdir -p $(BUILD)/demo
	apr-cat examples/sample/ | apr-quant q4k | apr-pack -f $(BUILD)/demo/sample.apr
	apr-cat $(BUILD)/demo/sample.apr | apr-ls
	apr-cat $(BUILD)/demo/sample.apr | apr-dequant f16 | apr-pack -f $(BUILD)/demo/sample.safetensors
	@du -b examples/sample/model.safetensors $(BUILD)/demo/sample.apr $(BUILD)/demo/sample.safetensors
	@echo "demo: $(BUILD)/demo/sample.apr is the sample model in Q4_K, $(BUILD)/demo/sample.safetensors the way back"
	@jq -c '{prompt, max_tokens: 8, stop: "\n"}' examples/sample/questions.jsonl >$(BUILD)/demo/questions
	@jq -r .answer examples/sample/questions.jsonl >$(BUILD)/demo/answers
	apr-infer --jsonl $(BUILD)/demo/sample.apr <$(BUILD)/demo/questions | jq -r .text | paste -d ' ' $(BUILD)/demo/answers - | \
	    awk '{ right += $$1 == $$2 } END { print right " of " NR " sums are right in Q4_K" }'
	apr-cat examples/sample/ | apr-quant -q --rules=apr q4k | apr-infer -n 3 -p '12+7=' -

# Every tool has a page and a test, every header stands alone, the floors
# hold, the pages are clean.
lint: $(BUILD)/ready $(PTX)
	@for t in $(TOOLS); do for f in man/$$t.1 tests/$$t.bats; do test -f $$f || \
	    { echo "$$t: no $$f" >&2; exit 1; }; done; done
	@for h in include/apr/*.h; do printf '#include "%s"\n' $$h | $(CC) -I. $(CPPFLAGS) \
	    $(CFLAGS) -fsyntax-only -x c - || { echo "$$h: does not stand alone" >&2; exit 1; }; done
	@scripts/layers
	@scripts/ptx-lint $(PTX)
	@case $$(head -n 1 debian/changelog) in "apr-tools ($(VERSION)) "*) ;; \
	    *) echo "debian/changelog: not of version $(VERSION)" >&2; exit 1 ;; esac
	@mandoc -T lint -W warning $(PAGES)

# The farm on a Slurm of two nodes that runs here; pipes by ssh and curl.
machines: all
	$(RUN_ENV) bats tests/machines

oracles: all
	@$(RUN_ENV) scripts/oracles
bench: all
	@test -x scripts/bench || { echo "make: scripts/bench is not there yet" >&2; exit 1; }
	@$(RUN_ENV) scripts/bench
bench-quant: all
	@$(RUN_ENV) CC="$(CC)" scripts/bench-quant
bench-infer: all
	@$(RUN_ENV) CC="$(CC)" scripts/bench-infer
bench-gpu: all
	@$(RUN_ENV) CC="$(CC)" scripts/bench-gpu

# The sample from checkpoint to tokens, beside transformers'; FAULTS=1: and the
# faults of tests/faults are found where they are.
e2e: all
	@$(RUN_ENV) scripts/e2e
	@test -z "$(FAULTS)" || APR_BUILD="$(ABS)" scripts/mutants --locate
parity: all
	@$(RUN_ENV) scripts/parity
# Bugs put in one by one: does a test see each?  (Half an hour.)
mutants:
	@scripts/mutants

# (Products are all unrolled: with UBSan's checks they take minutes to compile.)
SANITIZE = address,undefined
SANFLAGS = -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all
asan:
	@APR_ASAN=1 $(MAKE) --no-print-directory BUILD=build/asan CC=clang golden kernel floats codebook high dot suite \
	    CFLAGS='$(SANFLAGS) -fsanitize=$(SANITIZE)' DOTFLAGS=-fno-sanitize=undefined

# The types and NEON's kernels, which need no library, on an emulated ARM.
qemu:
	@$(MAKE) --no-print-directory BUILD=build/qemu CC=aarch64-linux-gnu-gcc golden kernel floats codebook high dot \
	    EMULATOR=qemu-aarch64-static LDFLAGS=-static LIBSRC='$(wildcard lib/type/*.c lib/kernel/*.c lib/codebook/*.c lib/dot/*.c)' \
	    HEADERS=stdio.h PCFLAGS= PLIBS=

# FUZZ_TIME seconds a harness, from FUZZ_SEED on (0: another each time); what is
# found stays as build/fuzz/NAME-crash-*.
fuzz:
	@$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang fuzz-now \
	    CFLAGS='$(SANFLAGS) -fsanitize=fuzzer-no-link,$(SANITIZE)' DOTFLAGS=-fno-sanitize=all
fuzz-now: $(FUZZ:%=fuzz-run-%)
	@test -n "$(FUZZ)" || { echo "make: no harness in tests/fuzz" >&2; exit 1; }
fuzz-run-%: $(BUILD)/fuzz/%
	@mkdir -p $(BUILD)/corpus/$*; echo "fuzz $*, $(FUZZ_TIME) s"; \
	    $< -max_total_time=$(FUZZ_TIME) -seed=$(FUZZ_SEED) -timeout=10 -rss_limit_mb=1024 \
	    -verbosity=0 -print_final_stats=1 -artifact_prefix=$(BUILD)/$*- $(BUILD)/corpus/$* \
	    $$(test -d tests/fuzz/corpus/$* && echo tests/fuzz/corpus/$*) tests/bad
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/libapr.a
	@mkdir -p $(@D); echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

# Their prefix can be moved, as pkg-config's --define-variable does.
PCFILES = $(BUILD)/apr-tools.pc $(BUILD)/libapr-tools.pc
$(PCFILES): $(BUILD)/%: %.in force
	$(Q)sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))|; s|@VERSION@|$(VERSION)|; s|@PKGS@|$(PKGS)|; s|@LIBS@|-lapr-tools $(PLIBS) -lpthread -lm|' $< >$@

EXAMPLES = $(shell find examples -type f ! -path "*/farm/*/*")
# What is ours alone; uninstall leaves folders that others use, or put something in.
OWNDIRS  = $(SHAREDIR) $(RECIPEDIR) $(INCLUDEDIR)
install: $(BIN) $(BUILD)/libapr.a
	@$(MAKE) --no-print-directory install-files
# What is built already.  What the shells complete is what --help says.
install-files: $(PCFILES)
	EMULATOR="$(EMULATOR)" scripts/completions $(BUILD)/completions $(BIN)
	$(INSTALL) -d "$(DESTDIR)$(BINDIR)"
	$(INSTALL) -m 755 $(BIN) "$(DESTDIR)$(BINDIR)"
	for p in $(PAGES); do $(INSTALL) -D -m 644 $$p "$(DESTDIR)$(MANDIR)/man$${p##*.}/$${p#man/}" || exit 1; done
	for f in $(EXAMPLES); do $(INSTALL) -D -m $$(test -x $$f && echo 755 || echo 644) $$f "$(DESTDIR)$(SHAREDIR)/$$f" || exit 1; done
	for f in $(RECIPES); do $(INSTALL) -D -m 644 $$f "$(DESTDIR)$(RECIPEDIR)/$${f#recipes/}" || exit 1; done
	for f in include/apr/*.h; do $(INSTALL) -D -m 644 $$f "$(DESTDIR)$(INCLUDEDIR)/$${f#include/}" || exit 1; done
	$(INSTALL) -D -m 644 $(BUILD)/libapr.a "$(DESTDIR)$(LIBDIR)/libapr-tools.a"
	for f in $(PCFILES); do $(INSTALL) -D -m 644 $$f "$(DESTDIR)$(LIBDIR)/pkgconfig/$${f##*/}" || exit 1; done
	for t in $(TOOLS); do $(INSTALL) -D -m 644 $(BUILD)/completions/bash/$$t "$(DESTDIR)$(COMPDIR)/bash-completion/completions/$$t" && \
	    $(INSTALL) -D -m 644 $(BUILD)/completions/zsh/_$$t "$(DESTDIR)$(ZSHDIR)/_$$t" && \
	    $(INSTALL) -D -m 644 $(BUILD)/completions/fish/$$t.fish "$(DESTDIR)$(COMPDIR)/fish/vendor_completions.d/$$t.fish" || exit 1; done
uninstall:
	for t in $(TOOLS); do rm -f "$(DESTDIR)$(BINDIR)/$$t"; done
	for p in $(PAGES); do rm -f "$(DESTDIR)$(MANDIR)/man$${p##*.}/$${p#man/}"; done
	for f in $(EXAMPLES); do rm -f "$(DESTDIR)$(SHAREDIR)/$$f"; done
	for f in $(RECIPES); do rm -f "$(DESTDIR)$(RECIPEDIR)/$${f#recipes/}"; done
	for f in include/apr/*.h; do rm -f "$(DESTDIR)$(INCLUDEDIR)/$${f#include/}"; done
	rm -f "$(DESTDIR)$(LIBDIR)/libapr-tools.a"
	for f in $(PCFILES); do rm -f "$(DESTDIR)$(LIBDIR)/pkgconfig/$${f##*/}"; done
	for t in $(TOOLS); do rm -f "$(DESTDIR)$(COMPDIR)/bash-completion/completions/$$t" \
	    "$(DESTDIR)$(ZSHDIR)/_$$t" "$(DESTDIR)$(COMPDIR)/fish/vendor_completions.d/$$t.fish"; done
	for d in $(OWNDIRS); do test ! -d "$(DESTDIR)$$d" || find "$(DESTDIR)$$d" -depth -type d -exec rmdir --ignore-fail-on-non-empty {} +; done
	test ! -d "$(DESTDIR)$(dir $(RECIPEDIR))" || rmdir --ignore-fail-on-non-empty "$(DESTDIR)$(dir $(RECIPEDIR))"

# The commit as it is: in every clone the same bytes.
DIST = apr-tools-$(VERSION)
dist:
	@mkdir -p $(BUILD); git diff --quiet HEAD || echo "make: $(DIST).tar.gz is the commit; what is not committed is not in it" >&2
	git -c tar.umask=0022 -c core.autocrlf=false -c tar.tar.gz.command='gzip -9n' archive \
	    --prefix=$(DIST)/ -o $(ABS)/$(DIST).tar.gz HEAD
# Debian's packages of that, beside it.
deb: dist
	rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb && tar xzf $(BUILD)/$(DIST).tar.gz -C $(BUILD)/deb
	cd $(BUILD)/deb/$(DIST) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
	    DEB_BUILD_OPTIONS="noautodbgsym $$DEB_BUILD_OPTIONS" dpkg-buildpackage -us -uc -b
	mv $(BUILD)/deb/*_* $(BUILD) && rm -rf $(BUILD)/deb
clean:
	rm -rf $(BUILD)
.PHONY: all check demo setup golden kernel floats suite demo-now lint machines oracles bench bench-quant bench-infer bench-gpu e2e mutants asan qemu fuzz fuzz-now codebook high dot \
	install install-files uninstall dist deb clean force
.DELETE_ON_ERROR:
.SECONDARY:
-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d $(BUILD)/*/*/*/*.d)
