# SPDX-License-Identifier: MIT
#
# The commands of this repository; "make help" lists them. Each installs the packages
# that it requires (scripts/setup). The makefile of the kernel module is
# drm_driver/Makefile.

KERNEL ?= 6.12
KDIR ?=
# Not from the environment, where TIME belongs to time(1).
TEST =
TIME = 600
SEED = 1
DESKTOP =
SIZE =
SUITE =
SHUFFLE =
PREFIX ?= /usr/local
DESTDIR ?=
export PREFIX DESTDIR

.DELETE_ON_ERROR:
.NOTPARALLEL:
# Anything that is no target.
.DEFAULT:
	@echo "make: there is no target '$@'; make help lists them" >&2; exit 2
.PHONY: all module user igt demo test coverage fuzz bench desktops shell install uninstall dkms deb kernels series docs lint clean help

# Headers of KDIR, or the newest supported ones that are installed.
all: module user igt

module:
	@ko=$$(scripts/module $(if $(KDIR),--kdir "$(KDIR)",--default)) && echo "  ferry.ko is $$ko"

user:
	@scripts/build user
	@echo "  libdrm_ferry, its tests, its examples and ferryctl are in build/user"

igt:
	@scripts/build igt
	@echo "  the tests on the IGT library are in build/igt"

demo: user
	@vm/demo --kernel "$(KERNEL)"

test: user igt
	@set -f; vm/test --kernel "$(KERNEL)" $(if $(SHUFFLE),--shuffle "$(SHUFFLE)") $(TEST)

coverage: user igt
	@set -f; scripts/coverage $(TEST)

fuzz:
	@igt-tests/fuzz/run --time "$(TIME)" --seed "$(SEED)"

bench:
	@bench/run --kernel "$(KERNEL)"

desktops:
	@set -f; vm/desktops --kernel "$(KERNEL)" $(addprefix --size ,$(SIZE)) $(DESKTOP)

shell: user igt
	@vm/run --kernel "$(KERNEL)"; status=$$?; \
	case $$status in 124 | 125 | 126) exit $$status ;; esac # others are of the shell

install:
	@scripts/install install $(if $(KDIR),--kdir "$(KDIR)")

uninstall:
	@scripts/install uninstall

dkms:
	@scripts/dkms

deb:
	@packaging/deb $(SUITE)

kernels:
	@scripts/record kernels -- scripts/kernels

series:
	@scripts/series --build

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
	@echo "make module     build one of them; also make user (library, examples), make igt (tests)"
	@echo "make demo       run ferry in a virtual machine; write pictures and a report to build/demo"
	@echo "make test       run all tests in virtual machines (TEST=name[@subtest] for one, KERNEL=7.x,"
	@echo "                SHUFFLE=seed for a random order, 0 chooses the seed)"
	@echo "make coverage   report which lines of the driver the tests run, to build/coverage"
	@echo "make fuzz       fuzz the driver on the sanitizer kernel (TIME=600 seconds, SEED=1)"
	@echo "make bench      run the benchmarks in a virtual machine; write tables to build/bench"
	@echo "make desktops   run sway, Weston, Xorg and others; compare their screens (DESKTOP='sway weston', SIZE=1280x800)"
	@echo "make shell      open a shell in a virtual machine (options: vm/run --help)"
	@echo "make install    install the module for this host's kernel and the library (PREFIX, DESTDIR)"
	@echo "make uninstall  remove what make install installed"
	@echo "make dkms       let DKMS build the module for each installed kernel"
	@echo "make deb        build, check and try the Debian packages in a clean Debian 12 and 13 (SUITE=trixie for one)"
	@echo "make kernels    build the module for the kernels of Debian 12, 13 and sid; write Documentation/results/kernels.txt"
	@echo "make series     write a series of patches for the kernel to build/series/patches; build and check each"
	@echo "make docs       build the documentation in build/docs"
	@echo "make lint       check the sources; any warning fails"
	@echo "make clean      remove everything that was built, with downloads and caches"
