/*
 * kube_story.h - what the tests of kube/ share: a fault server, a client of it, one answer.
 */
#ifndef TESTS_UNIT_KUBE_STORY_H
#define TESTS_UNIT_KUBE_STORY_H

#include "test.h"

#include "../faults/apiserver.h"
#include "base/mem.h"
#include "base/text.h"
#include "kube/kube.h"
#include "value/json.h"

#define SLOW 10000

struct story {
	struct loop *loop;
	struct apiserver *server;
	struct kube *kube;
	const struct kube_kind *configs, *deployments, *secrets, *namespaces;
};

struct answer {
	bool done;
	int status, tries;
	struct error err;
	char field[128], uid[64], version[32];
	char *json; /* the object */
};

static inline int story_set_up(void **state)
{
	struct story *s = mem_alloc(sizeof *s);

	assert_int_equal(loop_new(&s->loop, NULL), 0);
	s->server = apiserver_new(s->loop);
	s->kube = apiserver_client(s->server);
	s->configs = kube_kind(s->kube, "", "v1", "ConfigMap");
	s->deployments = kube_kind(s->kube, "apps", NULL, "Deployment");
	s->secrets = kube_kind(s->kube, "", NULL, "Secret");
	s->namespaces = kube_kind(s->kube, "", NULL, "Namespace");
	apiserver_forget(s->server);
	*state = s;
	return 0;
}

static inline int story_tear_down(void **state)
{
	struct story *s = *state;

	kube_free(s->kube);
	apiserver_free(s->server);
	loop_free(s->loop);
	free(s);
	return 0;
}

static inline void story_on_reply(void *arg, struct kube_reply *r)
{
	struct answer *a = arg;
	AUTO(buf) json = BUF_INIT;

	a->done = true;
	a->status = r->status;
	a->tries = r->tries;
	a->err = r->err;
	snprintf(a->field, sizeof a->field, "%s", r->field ? r->field : "");
	const struct value *meta = value_get(r->object, "metadata");
	const char *uid = value_get_str(meta, "uid");
	const char *version = value_get_str(meta, "resourceVersion");
	snprintf(a->uid, sizeof a->uid, "%s", uid ? uid : "");
	snprintf(a->version, sizeof a->version, "%s", version ? version : "");
	if (r->object)
		value_json_write(r->object, &json);
	a->json = buf_detach(&json);
}

static inline void answer_clear(struct answer *a)
{
	free(a->json);
	*a = (struct answer){0};
}

/* Send and wait. The answer of the call before is cleared. */
static inline void story_send(struct story *s, struct kube_request r, struct answer *a)
{
	answer_clear(a);
	r.body_len = r.body ? strlen(r.body) : 0;
	kube_send(s->kube, &r, story_on_reply, a);
	assert_false(a->done);
	assert_true(apiserver_run_until(s->server, &a->done, SLOW));
}

#define CONFIG(name, data)                                                             \
	"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" name \
	"\",\"namespace\":\"default\",\"labels\":{\"team\":\"a\"}},\"data\":{" data "}}"

#define T(name) cmocka_unit_test_setup_teardown(name, story_set_up, story_tear_down)

#endif
