/* SPDX-License-Identifier: MIT */
/*
 * httpd.c - an HTTP/1.1 server: a goroutine a connection, written as if each had the machine to itself.
 *
 *   GET /, /hello    a small text              GET /stats   counters
 *   GET, POST /echo  the body that was sent    (HEAD wherever GET is)
 *
 * usage: httpd [-a ADDR] [-p PORT] [-t SECONDS]
 *   -a  address to listen on (127.0.0.1)       -p  port, 0 = any (8080)
 *   -t  what a client may take: to send a request, from the end of the one before, and to read
 *       the answers (30)
 *
 * Reading order: main(), start(), serve(), the parser's callbacks, answer(). Everything of a
 * connection is in its `struct conn`, which lies on the stack of its goroutine; a goroutine that
 * waits costs the pages it has touched. What the client sends is parsed as it comes. The answers
 * to all requests that came in one piece (pipelining) leave in one piece.
 *
 * SIGTERM or SIGINT: no new connections; connections between two requests are closed, others answer
 * what they have begun, with "Connection: close", and after GRACE_NS what is left is cut off. Then
 * one line with what was done, status 0.
 */
#define _GNU_SOURCE
#include <gmprt.h>

#include <errno.h>
#include <http_parser.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND		1000000000ll
#define GRACE_NS	(5 * SECOND)
#define LINGER_NS	(1 * SECOND)
#define MAX_HEADER	8192		/* request line and header */
#define MAX_URL		1024
#define MAX_BODY	65536

/* ---- what the whole server shares -------------------------------------------------------- */

#define STATUSES(X)						\
	X(200, "OK")						\
	X(400, "Bad Request")					\
	X(404, "Not Found")					\
	X(405, "Method Not Allowed")				\
	X(408, "Request Timeout")				\
	X(413, "Content Too Large")				\
	X(505, "HTTP Version Not Supported")

#define STATUS_INDEX(code, text)	S_##code,
enum { STATUSES(STATUS_INDEX) NR_STATUS };
#define STATUS_ROW(code, text)		{ code, #code " " text },
static const struct status { int code; const char *line; } statuses[] = { STATUSES(STATUS_ROW) };

struct conn;

static struct server {
	struct gmp_fd *listener;
	struct gmp_fd *signals;
	int64_t patience;		/* -t, in ns */
	atomic_bool stopping;
	atomic_ulong connections;	/* accepted */
	atomic_ulong answers[NR_STATUS];
	struct gmp_wg wg;		/* connections being served */
	struct gmp_mutex lock;		/* guards the list */
	struct conn *conns;		/* all that are open */
} server;

static void count(atomic_ulong *n)
{
	atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

static unsigned long answers_sum(void)
{
	unsigned long sum = 0;

	for (int i = 0; i < NR_STATUS; i++)
		sum += atomic_load_explicit(&server.answers[i], memory_order_relaxed);
	return sum;
}

/* ---- a connection ------------------------------------------------------------------------ */

struct conn {
	struct gmp_fd *fd;
	struct conn *next, *prev;	/* server.conns; server.lock */
	atomic_bool idle;		/* between two requests */
	bool fresh;			/* a request ended: the time for the next one begins */
	bool last;			/* nothing comes after the answer at hand */
	int error;			/* of a write: nobody listens any more */
	http_parser parser;

	/* the request at hand */
	bool has_host, expects_continue;
	bool in_value;			/* of a header line: the name is complete */
	size_t field_len, value_len, url_len, body_len;
	char field_name[8];		/* as much as tells the few that matter */
	char field_value[16];
	char url[MAX_URL];
	char *body;			/* MAX_BODY bytes, once there was one */

	time_t date_of;
	char date[32];
	size_t out_len;
	char out[16384];		/* answers not sent yet */
	char in[16384];
};

/* ---- sending ----------------------------------------------------------------------------- */

static void write_out(struct conn *c, const void *data, size_t n)
{
	ssize_t r = c->error || !n ? 0 : gmp_write(c->fd, data, n);

	if (r < 0)
		c->error = (int)r;
}

static void flush(struct conn *c)
{
	write_out(c, c->out, c->out_len);
	c->out_len = 0;
}

/* Behind what is waiting to be sent. */
static void put(struct conn *c, const void *data, size_t n)
{
	if (n > sizeof(c->out) - c->out_len)
		flush(c);
	if (n > sizeof(c->out)) {
		write_out(c, data, n);
		return;
	}
	memcpy(c->out + c->out_len, data, n);
	c->out_len += n;
}

static const char *date(struct conn *c)
{
	time_t now = time(NULL);
	struct tm tm;

	if (now != c->date_of) {
		c->date_of = now;
		strftime(c->date, sizeof(c->date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	}
	return c->date;
}

/* HTTP/1.1 keeps the connection unless told otherwise, HTTP/1.0 only when told so. */
static const char *connection_field(const struct conn *c)
{
	if (c->last)
		return "Connection: close\r\n";
	return c->parser.http_minor == 0 ? "Connection: keep-alive\r\n" : "";
}

/* @fields: more lines for the header. A HEAD gets everything but the body. */
static void answer_with(struct conn *c, int status, const char *fields, const void *body, size_t n)
{
	char head[512];
	int len = snprintf(head, sizeof(head),
			   "HTTP/1.1 %s\r\nDate: %s\r\nContent-Type: text/plain\r\n"
			   "Content-Length: %zu\r\n%s%s\r\n",
			   statuses[status].line, date(c), n, connection_field(c), fields);

	count(&server.answers[status]);
	put(c, head, (size_t)len);
	if (c->parser.method != HTTP_HEAD)
		put(c, body, n);
}

static void answer(struct conn *c, int status, const void *body, size_t n)
{
	answer_with(c, status, "", body, n);
}

/* The request is not understood, or not wanted: say so, and that this is the end. */
static void refuse(struct conn *c, int status)
{
	const char *text = statuses[status].line;

	c->last = true;
	answer(c, status, text, strlen(text));
}

/* ---- what there is to see ---------------------------------------------------------------- */

static void page_hello(struct conn *c)
{
	static const char text[] = "Hello from a goroutine\n";

	answer(c, S_200, text, sizeof(text) - 1);
}

static void page_echo(struct conn *c)
{
	answer(c, S_200, c->body ? c->body : "", c->body_len);
}

static void page_stats(struct conn *c)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "requests %lu\nconnections %lu\n",
			 answers_sum(), atomic_load(&server.connections));

	for (int i = 0; i < NR_STATUS; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "status_%d %lu\n", statuses[i].code,
			      atomic_load(&server.answers[i]));
	answer(c, S_200, text, (size_t)n);
}

#define METHOD(m)	(1u << HTTP_##m)

static const struct page {
	const char *path;
	unsigned int methods;
	const char *allow;
	void (*show)(struct conn *c);
} pages[] = {
	{ "/",	    METHOD(GET) | METHOD(HEAD),		       "Allow: GET, HEAD\r\n",	     page_hello },
	{ "/hello", METHOD(GET) | METHOD(HEAD),		       "Allow: GET, HEAD\r\n",	     page_hello },
	{ "/stats", METHOD(GET) | METHOD(HEAD),		       "Allow: GET, HEAD\r\n",	     page_stats },
	{ "/echo",  METHOD(GET) | METHOD(HEAD) | METHOD(POST), "Allow: GET, HEAD, POST\r\n", page_echo },
};

/* The page a URL asks for, whatever its query; NULL: none. False: it is no URL. */
static bool find_page(const struct conn *c, const struct page **page)
{
	struct http_parser_url u;
	const char *path;

	*page = NULL;
	http_parser_url_init(&u);
	if (http_parser_parse_url(c->url, c->url_len, c->parser.method == HTTP_CONNECT, &u) != 0)
		return false;
	path = c->url + u.field_data[UF_PATH].off;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		size_t n = strlen(pages[i].path);

		if (n == u.field_data[UF_PATH].len && memcmp(path, pages[i].path, n) == 0)
			*page = &pages[i];
	}
	return true;
}

static void answer_request(struct conn *c)
{
	static const char not_found[] = "no such page\n", not_allowed[] = "not this way\n";
	const struct page *page;

	if (!find_page(c, &page))
		refuse(c, S_400);
	else if (!page)
		answer(c, S_404, not_found, sizeof(not_found) - 1);
	else if (c->parser.method > HTTP_POST || !(page->methods & 1u << c->parser.method))
		answer_with(c, S_405, page->allow, not_allowed, sizeof(not_allowed) - 1);
	else
		page->show(c);
}

/* ---- the parser's callbacks: not 0 = stop ------------------------------------------------ */

static struct conn *conn_of(http_parser *p)
{
	return p->data;
}

static int on_begin(http_parser *p)
{
	struct conn *c = conn_of(p);

	atomic_store_explicit(&c->idle, false, memory_order_relaxed);
	c->has_host = c->expects_continue = c->in_value = false;
	c->field_len = c->value_len = c->url_len = c->body_len = 0;
	return 0;
}

static int on_url(http_parser *p, const char *at, size_t n)
{
	struct conn *c = conn_of(p);

	if (n > sizeof(c->url) - c->url_len) {
		refuse(c, S_413);
		return -1;
	}
	memcpy(c->url + c->url_len, at, n);
	c->url_len += n;
	return 0;
}

/* Appends what fits; the length goes on counting, so that what did not fit equals nothing short. */
static void collect(char *buf, size_t size, size_t *len, const char *at, size_t n)
{
	if (*len < size)
		memcpy(buf + *len, at, n < size - *len ? n : size - *len);
	*len += n;
}

static bool is_text(const char *buf, size_t len, const char *want)
{
	return len == strlen(want) && strncasecmp(buf, want, len) == 0;
}

/* A header line is complete. */
static void end_field(struct conn *c)
{
	if (is_text(c->field_name, c->field_len, "host"))
		c->has_host = true;
	else if (is_text(c->field_name, c->field_len, "expect") &&
		 is_text(c->field_value, c->value_len, "100-continue"))
		c->expects_continue = true;
	c->field_len = c->value_len = 0;
	c->in_value = false;
}

static int on_field(http_parser *p, const char *at, size_t n)
{
	struct conn *c = conn_of(p);

	if (c->in_value)
		end_field(c);
	collect(c->field_name, sizeof(c->field_name), &c->field_len, at, n);
	return 0;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
	struct conn *c = conn_of(p);

	c->in_value = true;
	collect(c->field_value, sizeof(c->field_value), &c->value_len, at, n);
	return 0;
}

/* What the header alone is refused for; -1: nothing. */
static int fault_of(const struct conn *c)
{
	const http_parser *p = &c->parser;

	if (p->http_major != 1)
		return S_505;
	if (p->http_minor >= 1 && !c->has_host)
		return S_400;
	if (p->content_length != UINT64_MAX && p->content_length > MAX_BODY)
		return S_413;
	return -1;
}

static int on_header_end(http_parser *p)
{
	struct conn *c = conn_of(p);
	int fault;

	end_field(c);
	p->upgrade = 0;			/* offers of other protocols are declined by ignoring them */
	fault = fault_of(c);
	if (fault >= 0) {
		refuse(c, fault);
		return -1;
	}
	if (c->expects_continue && p->http_minor >= 1)
		put(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	return 0;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
	struct conn *c = conn_of(p);

	if (n > MAX_BODY - c->body_len) {
		refuse(c, S_413);
		return -1;
	}
	if (!c->body)
		c->body = malloc(MAX_BODY);
	if (!c->body)
		abort();
	memcpy(c->body + c->body_len, at, n);
	c->body_len += n;
	return 0;
}

static int on_end(http_parser *p)
{
	struct conn *c = conn_of(p);

	c->last = !http_should_keep_alive(p) || atomic_load(&server.stopping);
	answer_request(c);
	c->fresh = true;
	atomic_store_explicit(&c->idle, true, memory_order_relaxed);
	return c->last || c->error;
}

static const http_parser_settings callbacks = {
	.on_message_begin = on_begin,
	.on_url = on_url,
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_headers_complete = on_header_end,
	.on_body = on_body,
	.on_message_complete = on_end,
};

/* ---- serving a connection ---------------------------------------------------------------- */

/* Parses @n bytes, which answers every request that ends among them. */
static void take(struct conn *c, size_t n)
{
	enum http_errno err;

	http_parser_execute(&c->parser, &callbacks, c->in, n);
	err = HTTP_PARSER_ERRNO(&c->parser);
	if (err != HPE_OK && !c->last && !c->error)
		refuse(c, err == HPE_HEADER_OVERFLOW ? S_413 : S_400);
	flush(c);
}

/*
 * The client may still be sending: closing now would reset the connection, and with it the answer
 * that is under way. So say that we are done, and listen for a moment.
 */
static void linger(struct conn *c)
{
	gmp_set_read_deadline(c->fd, gmp_now() + LINGER_NS);
	if (gmp_shutdown(c->fd, SHUT_WR) < 0)
		return;
	while (gmp_read(c->fd, c->in, sizeof(c->in)) > 0)
		;
}

static void serve(struct conn *c)
{
	ssize_t n;

	while (!c->last && !c->error) {
		if (c->fresh && atomic_load(&server.stopping))
			break;
		if (c->fresh)
			gmp_set_deadline(c->fd, gmp_now() + (uint64_t)server.patience);
		c->fresh = false;
		n = gmp_read(c->fd, c->in, sizeof(c->in));
		if (n > 0) {
			take(c, (size_t)n);
			continue;
		}
		if (n != -ETIMEDOUT || atomic_load(&c->idle))
			return;			/* gone, or has nothing more to say */
		gmp_set_write_deadline(c->fd, gmp_now() + LINGER_NS);
		refuse(c, S_408);
		flush(c);
	}
	if (!c->error)
		linger(c);
}

static void enlist(struct conn *c)
{
	gmp_mutex_lock(&server.lock);
	c->next = server.conns;
	if (c->next)
		c->next->prev = c;
	server.conns = c;
	gmp_mutex_unlock(&server.lock);
}

static void delist(struct conn *c)
{
	gmp_mutex_lock(&server.lock);
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		server.conns = c->next;
	gmp_mutex_unlock(&server.lock);
}

/* A goroutine of its own for each. Only the small fields are cleared: the buffers cost no page yet. */
static void connection(void *fd)
{
	struct conn c;

	memset(&c, 0, offsetof(struct conn, field_name));
	c.fd = fd;
	c.idle = c.fresh = true;
	c.body = NULL;
	c.date_of = 0;
	c.out_len = 0;
	http_parser_init(&c.parser, HTTP_REQUEST);
	c.parser.data = &c;
	enlist(&c);
	serve(&c);
	delist(&c);
	gmp_close(c.fd);
	free(c.body);
	gmp_wg_done(&server.wg);
}

/* ---- begin and end ----------------------------------------------------------------------- */

static void accept_all(void)
{
	struct gmp_fd *fd;
	int err;

	for (;;) {
		err = gmp_accept(server.listener, &fd);
		if (err == -ECANCELED || err == -EBADF)
			return;			/* closed by wait_for_signal() */
		if (err) {
			gmp_sleep(SECOND / 100);	/* no descriptors left: others will close theirs */
			continue;
		}
		count(&server.connections);
		gmp_wg_add(&server.wg, 1);
		if (gmp_go(connection, fd) < 0) {
			gmp_wg_done(&server.wg);
			gmp_close(fd);
		}
	}
}

static void wait_for_signal(void *unused)
{
	struct signalfd_siginfo info;

	(void)unused;
	if (gmp_read(server.signals, &info, sizeof(info)) < 0)
		return;
	atomic_store(&server.stopping, true);
	gmp_close(server.listener);
}

/* Between two requests: what is there already is still read, then the end. */
static void nudge(struct conn *c)
{
	if (atomic_load(&c->idle))
		gmp_shutdown(c->fd, SHUT_RD);
}

static void cut_off(struct conn *c)
{
	gmp_close(c->fd);		/* its goroutine gets -ECANCELED, then -EBADF */
}

static bool for_each_conn(void (*fn)(struct conn *))
{
	bool any;

	gmp_mutex_lock(&server.lock);
	any = server.conns;
	for (struct conn *c = server.conns; c; c = c->next)
		fn(c);
	gmp_mutex_unlock(&server.lock);
	return any;
}

static void drain(void)
{
	uint64_t limit = gmp_now() + GRACE_NS;

	while (for_each_conn(nudge) && gmp_now() < limit)
		gmp_sleep(SECOND / 100);
	for_each_conn(cut_off);
	gmp_wg_wait(&server.wg);
}

static void say_goodbye(void)
{
	printf("httpd: served %lu requests on %lu connections,", answers_sum(),
	       atomic_load(&server.connections));
	for (int i = 0; i < NR_STATUS; i++)
		printf(" %d=%lu", statuses[i].code, atomic_load(&server.answers[i]));
	printf("\n");
}

static int complain(const char *what, int err)
{
	fprintf(stderr, "httpd: %s: %s\n", what, strerror(-err));
	return 1;
}

/* Blocked in every thread, so that they wait in the descriptor until somebody reads it. */
static int open_signals(void)
{
	sigset_t set;
	int num, err;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	num = signalfd(-1, &set, SFD_CLOEXEC);
	if (num < 0)
		return -errno;
	err = gmp_fd_adopt(num, &server.signals);
	if (err)
		close(num);
	return err;
}

/* Goroutine 1. */
static int start(void *address)
{
	char text[80];
	int err = gmp_listen("tcp", address, &server.listener);

	if (err)
		return complain(address, err);
	gmp_local_addr(server.listener, text, sizeof(text));
	printf("httpd: listening on %s\n", text);
	gmp_go(wait_for_signal, NULL);
	accept_all();
	drain();
	say_goodbye();
	return 0;
}

/* As many connections as the system lets us have. */
static void raise_limits(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		setrlimit(RLIMIT_NOFILE, &lim);
	}
}

static int usage(void)
{
	fprintf(stderr, "usage: httpd [-a ADDR] [-p PORT] [-t SECONDS]\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *host = "127.0.0.1", *port = "8080";
	char address[128];
	int opt, err;

	server.patience = 30 * SECOND;
	while ((opt = getopt(argc, argv, "a:p:t:")) != -1) {
		if (opt == 'a')
			host = optarg;
		else if (opt == 'p')
			port = optarg;
		else if (opt == 't')
			server.patience = (int64_t)(atof(optarg) * (double)SECOND);
		else
			return usage();
	}
	if (optind != argc || server.patience <= 0)
		return usage();
	snprintf(address, sizeof(address), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
	setvbuf(stdout, NULL, _IOLBF, 0);
	http_parser_set_max_header_size(MAX_HEADER);
	raise_limits();
	err = open_signals();
	if (err)
		return complain("signals", err);
	return gmp_run(start, address);
}
