/*
 * support/trust_fixture.h - policies and checks in one line, for the tests of trust/.
 */
#ifndef TESTS_UNIT_SUPPORT_TRUST_FIXTURE_H
#define TESTS_UNIT_SUPPORT_TRUST_FIXTURE_H

#include "git_fixture.h"
#include "trust/trust_int.h"

#define WHOLE_HISTORY "{wholeHistory: true}"

/* From the lines of allowed_signers and revoked keys ("" for none), and firstTrust as YAML (""
 * for none). */
struct policy *policy_of(const char *signers, const char *revoked, const char *first_trust);
/* Alice alone, the whole history. */
struct policy *policy_alice(struct fixture *f);

/* trust_check() of `rev` in the fixture's repository; `last` NULL: nothing trusted yet. Returns
 * the code; `refusal` and `out` (freed by the caller) may be NULL. `seen_ms` 0: now. */
enum refusal_code check_as(struct fixture *f, const char *rev, const struct object_id *last,
			   const struct policy *p, int64_t now_ms, int64_t seen_ms,
			   struct refusal *refusal, struct verified **out);
enum refusal_code check(struct fixture *f, const char *rev, const struct object_id *last,
			const struct policy *p);

#endif
