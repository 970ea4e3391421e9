/*
 * The fence around the child that talks to the network and parses packs: resource limits, no
 * new privileges, no core dumps, and Landlock, so that it can write nothing but the Git cache
 * and can't read a Kubernetes token.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "git/git_int.h"

/* Of the kernel's interface; older headers lack the later ones. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule	    445
#define SYS_landlock_restrict_self  446
#endif
#define LL_VERSION    1u /* flag: tell the version */
#define LL_PATH	      1	 /* rule: what is beneath a path */
#define LL_WRITE_FILE (1ull << 1)
#define LL_READ_FILE  (1ull << 2)
#define LL_READ_DIR   (1ull << 3)
#define LL_ALL_1      ((1ull << 13) - 1)
#define LL_REFER      (1ull << 13) /* 2 */
#define LL_TRUNCATE   (1ull << 14) /* 3 */
#define LL_IOCTL      (1ull << 15) /* 5 */
/* Not even in the cache: execute, devices, sockets, FIFOs. */
#define LL_NEVER \
	((1ull << 0) | (1ull << 6) | (1ull << 9) | (1ull << 10) | (1ull << 11) | LL_IOCTL)

struct ll_ruleset {
	uint64_t fs;
};
struct ll_path {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

/* What resolving names, TLS and the libraries read. No folder that holds secrets. */
static const char *const readable[] = {
	"/etc/resolv.conf",
	"/etc/hosts",
	"/etc/nsswitch.conf",
	"/etc/gai.conf",
	"/etc/host.conf",
	"/etc/services",
	"/etc/protocols",
	"/etc/localtime",
	"/etc/ssl/certs",
	"/etc/ssl/openssl.cnf",
	"/etc/ca-certificates",
	"/etc/pki/tls",
	"/etc/ld.so.cache",
	"/usr/share/ca-certificates",
	"/usr/lib",
	"/lib",
	"/lib64",
	"/usr/local/share/ca-certificates",
	"/run/systemd/resolve",
	"/dev/urandom",
	"/dev/null",
};

static int set_limit(int what, const char *name, rlim_t max, struct error *err)
{
	struct rlimit now, limit = {max, max};

	if (getrlimit(what, &now) == 0 && now.rlim_max < max)
		limit.rlim_cur = limit.rlim_max = now.rlim_max;
	if (setrlimit(what, &limit) < 0)
		return error_reason(err, ERROR_BUG, "SandboxFailed", "limit %s: %m", name);
	return 0;
}

static int set_limits(const struct fence *f, struct error *err)
{
#if defined(__SANITIZE_ADDRESS__)
	const rlim_t space = RLIM_INFINITY; /* its shadow alone takes terabytes */
#else
	const rlim_t space = (rlim_t)f->file_max * 2 + (1024u << 20);
#endif

	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (set_limit(RLIMIT_AS, "address space", space, err) < 0 ||
	    set_limit(RLIMIT_CPU, "CPU", (rlim_t)f->cpu_ms / 1000 + 1, err) < 0 ||
	    set_limit(RLIMIT_FSIZE, "file size", (rlim_t)f->file_max, err) < 0 ||
	    set_limit(RLIMIT_NOFILE, "open files", 512, err) < 0 ||
	    set_limit(RLIMIT_CORE, "core", 0, err) < 0)
		return -1;
	return 0;
}

/* A path that is not there is left out; for a file the rights that only folders have are. */
static int allow(int ruleset, const char *path, uint64_t rights, struct error *err)
{
	struct ll_path rule = {.allowed = rights};
	struct stat st;
	int rc;

	rule.fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.fd < 0)
		return 0;
	if (fstat(rule.fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed &= LL_READ_FILE | LL_WRITE_FILE;
	rc = (int)syscall(SYS_landlock_add_rule, ruleset, LL_PATH, &rule, 0u);
	close(rule.fd);
	if (rc < 0)
		return error_reason(err, ERROR_BUG, "SandboxFailed", "Landlock rule for %s: %m",
				    path);
	return 0;
}

static uint64_t handled_by(int abi)
{
	return LL_ALL_1 | (abi >= 2 ? LL_REFER : 0) | (abi >= 3 ? LL_TRUNCATE : 0) |
	       (abi >= 5 ? LL_IOCTL : 0);
}

static int add_rules(int ruleset, const struct fence *f, uint64_t handled, struct error *err)
{
	const uint64_t read_only = LL_READ_FILE | LL_READ_DIR;

	for (size_t i = 0; i < ARRAY_LEN(readable); i++)
		if (allow(ruleset, readable[i], read_only, err) < 0)
			return -1;
	if (f->readable && allow(ruleset, f->readable, read_only, err) < 0)
		return -1;
	return allow(ruleset, f->writable, handled & ~LL_NEVER, err);
}

static int raise_landlock(const struct fence *f, int *abi, struct error *err)
{
	struct ll_ruleset rules;
	int ruleset, rc;

	*abi = (int)syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LL_VERSION);
	if (*abi < 0 && (errno == ENOSYS || errno == EOPNOTSUPP)) {
		*abi = 0;
		return 0;
	}
	if (*abi < 0)
		return error_reason(err, ERROR_BUG, "SandboxFailed", "asking for Landlock: %m");
	rules.fs = handled_by(*abi);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0u);
	if (ruleset < 0)
		return error_reason(err, ERROR_BUG, "SandboxFailed",
				    "making Landlock rules: %m");
	rc = add_rules(ruleset, f, rules.fs, err);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0u) < 0)
		rc = error_reason(err, ERROR_BUG, "SandboxFailed", "entering Landlock: %m");
	close(ruleset);
	return rc;
}

int fence_raise(const struct fence *f, int *landlock, struct error *err)
{
	int abi = 0;

	if (set_limits(f, err) < 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return error_reason(err, ERROR_BUG, "SandboxFailed", "prctl: %m");
	if (raise_landlock(f, &abi, err) < 0)
		return -1;
	*landlock = abi;
	return 0;
}
