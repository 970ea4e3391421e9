/* net/http.c over TLS: who is trusted, what name is wanted, whose certificate is shown. */
#include "test.h"

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../faults/apiserver.h"
#include "base/mem.h"
#include "net/http.h"

#define SLOW 10000

struct identity {
	EVP_PKEY *key;
	X509 *cert;
	char *key_pem, *cert_pem;
};

struct fixture {
	struct loop *loop;
	SSL_CTX *ctx;
	struct evhttp *web;
	struct identity ca, other_ca, server, client, client2;
	char url[80], host[64];
	char seen_host[64], seen_client[64];
	int connections;
};

static char *to_pem(EVP_PKEY *key, X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;

	if (cert)
		PEM_write_bio_X509(bio, cert);
	else
		PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	long len = BIO_get_mem_data(bio, &data);
	char *text = mem_strndup(data, (size_t)len);
	BIO_free(bio);
	return text;
}

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(e);
	X509_add_ext(cert, e, -1);
	X509_EXTENSION_free(e);
}

/* issuer NULL: a certificate authority that signs itself. */
static void make(struct identity *i, const char *name, const struct identity *issuer)
{
	static long serial = 1;
	X509_NAME *subject = X509_NAME_new();

	i->key = EVP_EC_gen("P-256");
	i->cert = X509_new();
	X509_set_version(i->cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(i->cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(i->cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(i->cert), 3600);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
				   -1, 0);
	X509_set_subject_name(i->cert, subject);
	X509_set_issuer_name(i->cert, issuer ? X509_get_subject_name(issuer->cert) : subject);
	X509_NAME_free(subject);
	X509_set_pubkey(i->cert, i->key);
	if (issuer) {
		AUTO_FREE char *san = mem_printf("DNS:%s", name);
		add_extension(i->cert, NID_subject_alt_name, san);
	} else {
		add_extension(i->cert, NID_basic_constraints, "critical,CA:TRUE");
		add_extension(i->cert, NID_key_usage, "critical,keyCertSign,cRLSign");
	}
	X509_sign(i->cert, issuer ? issuer->key : i->key, EVP_sha256());
	i->key_pem = to_pem(i->key, NULL);
	i->cert_pem = to_pem(NULL, i->cert);
}

static void identity_clear(struct identity *i)
{
	EVP_PKEY_free(i->key);
	X509_free(i->cert);
	free(i->key_pem);
	free(i->cert_pem);
}

static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
	struct fixture *f = arg;

	f->connections++;
	return bufferevent_openssl_socket_new(base, -1, SSL_new(f->ctx),
					      BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct fixture *f = arg;
	struct bufferevent *bev =
		evhttp_connection_get_bufferevent(evhttp_request_get_connection(req));
	X509 *peer = SSL_get1_peer_certificate(bufferevent_openssl_get_ssl(bev));
	const char *host = evhttp_find_header(evhttp_request_get_input_headers(req), "Host");
	struct evbuffer *out = evbuffer_new();

	snprintf(f->seen_host, sizeof f->seen_host, "%s", host ? host : "");
	f->seen_client[0] = '\0';
	if (peer)
		X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName,
					  f->seen_client, sizeof f->seen_client);
	X509_free(peer);
	evbuffer_add(out, "ok", 2);
	evhttp_send_reply(req, 200, "OK", out);
	evbuffer_free(out);
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof *f);
	struct sockaddr_in at = {0};
	socklen_t len = sizeof at;

	make(&f->ca, "our ca", NULL);
	make(&f->other_ca, "other ca", NULL);
	make(&f->server, "api.test", &f->ca);
	make(&f->client, "jane", &f->ca);
	make(&f->client2, "joe", &f->ca);
	assert_int_equal(loop_new(&f->loop, NULL), 0);
	f->ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(f->ctx, f->server.cert);
	SSL_CTX_use_PrivateKey(f->ctx, f->server.key);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(f->ctx), f->ca.cert);
	SSL_CTX_set_verify(f->ctx, SSL_VERIFY_PEER, NULL); /* asked for, not required */
	f->web = evhttp_new(loop_base(f->loop));
	evhttp_set_bevcb(f->web, on_connection, f);
	evhttp_set_gencb(f->web, on_request, f);
	struct evhttp_bound_socket *b = evhttp_bind_socket_with_handle(f->web, "127.0.0.1", 0);
	getsockname(evhttp_bound_socket_get_fd(b), (struct sockaddr *)&at, &len);
	snprintf(f->host, sizeof f->host, "127.0.0.1:%d", ntohs(at.sin_port));
	snprintf(f->url, sizeof f->url, "https://%s", f->host);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	evhttp_free(f->web);
	SSL_CTX_free(f->ctx);
	loop_free(f->loop);
	identity_clear(&f->ca);
	identity_clear(&f->other_ca);
	identity_clear(&f->server);
	identity_clear(&f->client);
	identity_clear(&f->client2);
	free(f);
	return 0;
}

struct result {
	bool done;
	int status;
	struct error err;
};

static void on_done(void *arg, struct http_reply *reply)
{
	struct result *r = arg;

	r->done = true;
	r->status = reply->status;
	r->err = reply->err;
}

static struct result get(struct fixture *f, struct http *h)
{
	struct result r = {0};
	struct http_request q = {.method = "GET", .path = "/", .deadline_ms = SLOW};

	http_start(h, &q, NULL, on_done, &r);
	assert_true(loop_run_until(f->loop, &r.done, SLOW));
	return r;
}

static struct http *client(struct fixture *f, struct http_options o)
{
	struct http *h;
	struct error err = ERROR_INIT;

	o.base_url = f->url;
	if (http_new(f->loop, &o, &h, &err))
		fail_msg("%s", err.text);
	return h;
}

static struct result once(struct fixture *f, struct http_options o)
{
	struct http *h = client(f, o);
	struct result r = get(f, h);

	http_free(h);
	return r;
}

static void test_tls__only_the_given_authority_is_trusted(void **state)
{
	struct fixture *f = *state;
	struct http_options o = {.ca_data = f->ca.cert_pem, .server_name = "api.test"};
	struct result r = once(f, o);

	assert_string_equal(r.err.text, "");
	assert_int_equal(r.status, 200);
	o.ca_data = f->other_ca.cert_pem;
	r = once(f, o);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.err.kind, ERROR_DENIED);
	assert_non_null(strstr(r.err.text, ": TLS: "));
	o.ca_data = NULL; /* the system's */
	assert_int_equal(once(f, o).err.kind, ERROR_DENIED);
	o.insecure = true;
	assert_int_equal(once(f, o).status, 200);
	o = (struct http_options){.ca_data = "no certificate"};
	assert_int_equal(once(f, o).err.kind, ERROR_DENIED);
}

static void test_tls__name_is_checked_and_may_differ_from_the_host(void **state)
{
	struct fixture *f = *state;
	struct http_options o = {.ca_data = f->ca.cert_pem};
	struct result r = once(f, o);

	assert_int_equal(r.err.kind, ERROR_DENIED);
	o.server_name = "other.test";
	assert_int_equal(once(f, o).err.kind, ERROR_DENIED);
	o.server_name = "api.test";
	assert_int_equal(once(f, o).status, 200);
	assert_string_equal(f->seen_host, f->host); /* the request still names the real one */
}

static void test_tls__client_certificate_is_shown_and_can_be_changed(void **state)
{
	struct fixture *f = *state;
	struct http_options o = {.base_url = f->url,
				 .ca_data = f->ca.cert_pem,
				 .server_name = "api.test",
				 .cert_data = f->client.cert_pem,
				 .key_data = f->client.key_pem};
	struct http *h = client(f, o);

	assert_int_equal(get(f, h).status, 200);
	assert_string_equal(f->seen_client, "jane");
	assert_int_equal(get(f, h).status, 200);
	assert_int_equal(f->connections, 1);
	o.cert_data = f->client2.cert_pem;
	o.key_data = f->client2.key_pem;
	assert_int_equal(http_reconfigure(h, &o, NULL), 0);
	assert_int_equal(get(f, h).status, 200);
	assert_string_equal(f->seen_client, "joe");
	assert_int_equal(f->connections, 2);
	http_free(h);
}

static void test_tls__refused_client_is_told_as_denied(void **state)
{
	struct fixture *f = *state;
	struct http_options o = {.ca_data = f->ca.cert_pem, .server_name = "api.test"};

	SSL_CTX_set_verify(f->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	struct result r = once(f, o);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.err.kind, ERROR_DENIED);
	o.cert_data = f->client.cert_pem;
	o.key_data = f->client2.key_pem; /* of another */
	assert_int_equal(once(f, o).err.kind, ERROR_DENIED);
	o.key_data = f->client.key_pem;
	assert_int_equal(once(f, o).status, 200);
}

static void test_tls__plain_server_is_no_tls_server(void **state)
{
	struct fixture *f = *state;
	struct apiserver *s = apiserver_new(f->loop);
	struct http_options o = {0};
	struct http *h;
	AUTO_FREE char *url = mem_printf("https%s", apiserver_url(s) + 4);

	o.base_url = url;
	assert_int_equal(http_new(f->loop, &o, &h, NULL), 0);
	struct result r = get(f, h);
	assert_int_equal(r.status, 0);
	assert_int_not_equal(r.err.kind, ERROR_NONE);
	http_free(h);
	apiserver_free(s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_tls__only_the_given_authority_is_trusted),
		T(test_tls__name_is_checked_and_may_differ_from_the_host),
		T(test_tls__client_certificate_is_shown_and_can_be_changed),
		T(test_tls__refused_client_is_told_as_denied),
		T(test_tls__plain_server_is_no_tls_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
