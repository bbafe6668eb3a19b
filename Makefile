# SPDX-License-Identifier: MIT
#
# The commands of this repository; "make help" lists them. Each installs what it
# needs itself (scripts/setup) and says so. The kernel module's own makefile is
# drm_driver/Makefile.

KERNEL ?= 6.12
KDIR ?=
# Only from the command line: the environment may have its own TIME, of time(1).
TEST =
TIME = 600
SEED = 1
PREFIX ?= /usr/local
DESTDIR ?=
export PREFIX DESTDIR

.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: all module user igt demo test coverage fuzz bench shell install uninstall dkms docs lint clean help

# Headers of KDIR, or the newest supported ones that are installed.
all: module user igt

module:
	@ko=$$(scripts/module $(if $(KDIR),--kdir "$(KDIR)",--default)) && echo "  ferry.ko is $$ko"

user:
	@scripts/build user
	@echo "  libdrm_ferry, its tests and its examples are in build/user"

igt:
	@scripts/build igt
	@echo "  the tests on the IGT library are in build/igt"

demo: user
	@vm/demo --kernel "$(KERNEL)"

test: user igt
	@set -f; vm/test --kernel "$(KERNEL)" $(TEST)

coverage: user igt
	@set -f; scripts/coverage $(TEST)

fuzz:
	@igt-tests/fuzz/run --time "$(TIME)" --seed "$(SEED)"

bench:
	@bench/run --kernel "$(KERNEL)"

shell: user igt
	@vm/run --kernel "$(KERNEL)"; status=$$?; \
	case $$status in 124 | 125 | 126) exit $$status ;; esac # others are the shell's own

install: user
	@scripts/install install $(if $(KDIR),--kdir "$(KDIR)")

uninstall:
	@scripts/install uninstall

dkms:
	@scripts/dkms

docs:
	@scripts/setup docs
	@sphinx-build -q -W -n --keep-going Documentation build/docs
	@echo "  the pages begin at build/docs/index.html"

lint:
	@scripts/lint

clean:
	rm -rf build

help:
	@echo "make            build the module (KDIR=headers), the library and the tests"
	@echo "make demo       run ferry in a virtual machine; pictures and a report in build/demo"
	@echo "make test       run all tests there; TEST=name[@subtest] runs one, KERNEL=7.x another kernel"
	@echo "make coverage   which lines of the driver the tests run; build/coverage"
	@echo "make fuzz       fuzz the driver on the sanitizer kernel (TIME=600 seconds, SEED=1)"
	@echo "make bench      run the benchmarks there; tables in build/bench"
	@echo "make shell      a shell in the virtual machine (vm/run --help says more)"
	@echo "make install    install the module for this host's kernel, and the library (PREFIX, DESTDIR)"
	@echo "make uninstall  take them away again"
	@echo "make dkms       have DKMS build the module for each kernel that is installed"
	@echo "make docs       write the documentation to build/docs"
	@echo "make lint       check the sources; any warning fails"
	@echo "make clean      remove all that was built, caches included"
