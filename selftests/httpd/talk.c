/* SPDX-License-Identifier: MIT */
/*
 * talk.c - talks HTTP with the sample server, byte by byte where it matters. Run by talk_test.sh.
 * HTTPD names the server's program. Plain sockets that block: no code of the library is in use here.
 */
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "gmptest.h"

/* ---- the server -------------------------------------------------------------------------- */

static pid_t server;
static int server_out;			/* its stdout */
static int port;
static char last_line[1024];

/* One line of its stdout; false at the end. */
static bool read_line(char *line, size_t n)
{
	size_t at = 0;

	while (at < n - 1 && read(server_out, line + at, 1) == 1) {
		if (line[at++] == '\n')
			break;
	}
	line[at] = 0;
	return at > 0;
}

static void start(const char *patience)
{
	const char *program = getenv("HTTPD");
	char line[256];
	int fds[2];

	CHECK(program != NULL);
	CHECK(pipe(fds) == 0);
	server = fork();
	if (server == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		execl(program, "httpd", "-p", "0", "-t", patience, NULL);
		_exit(127);
	}
	close(fds[1]);
	server_out = fds[0];
	CHECK(read_line(line, sizeof(line)));
	CHECK(sscanf(line, "httpd: listening on 127.0.0.1:%d", &port) == 1);
}

/* Waits for its end: status 0, and one last line. */
static void await_end(void)
{
	char more[16];
	int status;

	CHECK(read_line(last_line, sizeof(last_line)));
	CHECK(!read_line(more, sizeof(more)));
	CHECK(waitpid(server, &status, 0) == server);
	CHECK_EQ(status, 0);
	CHECK(strncmp(last_line, "httpd: served ", 14) == 0);
	close(server_out);
}

static void stop(int signo)
{
	CHECK(kill(server, signo) == 0);
	await_end();
}

/* "NAME=42" in the last line. */
static long counter(const char *name)
{
	char want[32];
	const char *at;

	snprintf(want, sizeof(want), " %s=", name);
	at = strstr(last_line, want);
	CHECK(at != NULL);
	return atol(at + strlen(want));
}

static long served(void)
{
	return atol(last_line + 14);
}

/* ---- a client ---------------------------------------------------------------------------- */

static int dial(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval limit = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	CHECK(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	CHECK(connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0);
	return fd;
}

static void say_n(int fd, const char *text, size_t n)
{
	CHECK(send(fd, text, n, MSG_NOSIGNAL) == (ssize_t)n);
}

static void say(int fd, const char *text)
{
	say_n(fd, text, strlen(text));
}

struct response {
	int status;
	size_t body_len;
	char head[2048];
	char body[70000];
};

static size_t content_length(const char *head)
{
	const char *at = strcasestr(head, "\r\nContent-Length:");

	return at ? strtoul(at + 17, NULL, 10) : 0;
}

/* The next response, not a byte more. */
static void hear_head(int fd, struct response *r)
{
	size_t n = 0;

	while (n < 4 || memcmp(r->head + n - 4, "\r\n\r\n", 4) != 0) {
		CHECK(n < sizeof(r->head) - 1);
		CHECK(read(fd, r->head + n, 1) == 1);
		n++;
	}
	r->head[n] = 0;
	CHECK(sscanf(r->head, "HTTP/1.1 %d ", &r->status) == 1);
	r->body_len = 0;
}

static void hear(int fd, struct response *r)
{
	size_t want;

	hear_head(fd, r);
	want = content_length(r->head);
	CHECK(want <= sizeof(r->body));
	while (r->body_len < want) {
		ssize_t n = read(fd, r->body + r->body_len, want - r->body_len);

		CHECK(n > 0);
		r->body_len += (size_t)n;
	}
}

static void expect_end(int fd)
{
	char c;

	CHECK_EQ(read(fd, &c, 1), 0);
	close(fd);
}

static bool has(const struct response *r, const char *field)
{
	return strcasestr(r->head, field) != NULL;
}

/* A connection, a request, the status; then the connection stays (1) or ends (0). */
static void ask(const char *request, int status, int stays)
{
	static struct response r;
	int fd = dial();

	say(fd, request);
	hear(fd, &r);
	if (r.status != status)
		printf("# asked: %.60s\n", request);
	CHECK_EQ(r.status, status);
	CHECK_EQ(has(&r, "\r\nConnection: close\r\n"), !stays);
	if (!stays) {
		expect_end(fd);
		return;
	}
	say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(fd, &r);
	CHECK_EQ(r.status, 200);
	close(fd);
}

#define HOST	"Host: x\r\n"
#define GET	"GET /hello HTTP/1.1\r\n" HOST "\r\n"

static struct response r;

/* ---- pages and statuses ------------------------------------------------------------------ */

TEST(pages)
{
	start("30");
	ask("GET / HTTP/1.1\r\n" HOST "\r\n", 200, 1);
	ask("GET /hello HTTP/1.1\r\n" HOST "\r\n", 200, 1);
	ask("GET /hello?a=b&c HTTP/1.1\r\n" HOST "\r\n", 200, 1);
	ask("GET http://x:80/hello HTTP/1.1\r\n" HOST "\r\n", 200, 1);
	ask("GET /stats HTTP/1.1\r\n" HOST "\r\n", 200, 1);
	ask("GET /hello HTTP/1.1\r\nX:\r\nhost:\r\nY: \r\n\r\n", 200, 1);
	ask("GET /hello HTTP/1.1\r\nExpect: nothing\r\nhOsT: x\r\nConnection: Upgrade\r\n"
	    "Upgrade: h2c\r\n\r\n", 200, 1);
	ask("\r\n\r\nGET /hello HTTP/1.1\nHost: x\n\n", 200, 1);
	ask("GET /nowhere HTTP/1.1\r\n" HOST "\r\n", 404, 1);
	ask("GET /hell HTTP/1.1\r\n" HOST "\r\n", 404, 1);
	ask("GET /hello/ HTTP/1.1\r\n" HOST "\r\n", 404, 1);
	ask("DELETE /nowhere HTTP/1.1\r\n" HOST "\r\n", 404, 1);
	ask("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 404, 1);
	ask("CONNECT x:1 HTTP/1.1\r\n" HOST "\r\n", 404, 1);
	stop(SIGTERM);
	CHECK_EQ(counter("200"), 8 + 14);
	CHECK_EQ(counter("404"), 6);
	CHECK_EQ(served(), 8 + 14 + 6);
}

TEST(methods_that_are_not_allowed)
{
	int fd;

	start("30");
	ask("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", 405, 1);
	ask("PUT /hello HTTP/1.1\r\n" HOST "\r\n", 405, 1);
	ask("DELETE /echo HTTP/1.1\r\n" HOST "\r\n", 405, 1);
	ask("PROPFIND /stats HTTP/1.1\r\n" HOST "\r\n", 405, 1);
	fd = dial();
	say(fd, "PATCH /echo HTTP/1.1\r\n" HOST "\r\n");
	hear(fd, &r);
	CHECK_EQ(r.status, 405);
	CHECK(has(&r, "\r\nAllow: GET, HEAD, POST\r\n"));
	close(fd);
	stop(SIGTERM);
	CHECK_EQ(counter("405"), 5);
}

TEST(bad_requests)
{
	start("30");
	ask("hello?\r\n\r\n", 400, 0);
	ask("GET\r\n\r\n", 400, 0);
	ask("GET /hello HTTP/1.1\r\n\r\n", 400, 0);			/* no Host */
	ask("GET /hello HTTP/1.1\r\n" HOST "(a): c\r\n\r\n", 400, 0);
	ask("GET /hello HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400, 0);
	ask("GET /hello HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\n", 400, 0);
	ask("GET /hello HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, 0);
	ask("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, 0);
	ask("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, 0);
	ask("\x16\x03\x01\x02", 400, 0);				/* TLS */
	ask("GET /hello HTTP/2.0\r\n" HOST "\r\n", 505, 0);
	ask("GET /hello HTTP/0.9\r\n" HOST "\r\n", 505, 0);
	stop(SIGTERM);
	CHECK_EQ(counter("400"), 10);
	CHECK_EQ(counter("505"), 2);
}

/* Behind a good request in the same segment: the good one is answered, then the bad one, then the end. */
TEST(bad_request_behind_a_good_one)
{
	int fd;

	start("30");
	fd = dial();
	say(fd, GET "rubbish\r\n\r\n" GET);
	hear(fd, &r);
	CHECK_EQ(r.status, 200);
	hear(fd, &r);
	CHECK_EQ(r.status, 400);
	expect_end(fd);
	stop(SIGTERM);
	CHECK_EQ(served(), 2);
}

/* @n times @c. */
static char *many(char c, size_t n)
{
	char *s = malloc(n + 1);

	memset(s, c, n);
	s[n] = 0;
	return s;
}

__attribute__((format(printf, 3, 4)))
static void ask_format(int status, int stays, const char *format, ...)
{
	static char request[300000];
	va_list ap;

	va_start(ap, format);
	vsnprintf(request, sizeof(request), format, ap);
	va_end(ap);
	ask(request, status, stays);
}

TEST(too_large)
{
	start("30");
	ask_format(413, 0, "GET /%s HTTP/1.1\r\n" HOST "\r\n", many('a', 2000));
	ask_format(413, 0, "GET /%s HTTP/1.1\r\n" HOST "\r\n", many('a', 200000));
	ask_format(413, 0, "GET /hello HTTP/1.1\r\n" HOST "X: %s\r\n\r\n", many('a', 9000));
	ask_format(200, 1, "GET /hello HTTP/1.1\r\n" HOST "X: %s\r\n\r\n", many('a', 7000));
	ask_format(404, 1, "GET /%s HTTP/1.1\r\n" HOST "\r\n", many('a', 1000));
	ask_format(413, 0, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n");
	ask_format(413, 0, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n%s",
		   many('b', 65537));
	ask_format(200, 1, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65536\r\n\r\n%s",
		   many('b', 65536));
	ask_format(413, 0, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		   "10001\r\n%s\r\n0\r\n\r\n", many('b', 65537));
	ask_format(200, 1, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		   "10000\r\n%s\r\n0\r\n\r\n", many('b', 65536));
	stop(SIGTERM);
	CHECK_EQ(counter("413"), 6);
}

TEST(echo)
{
	int fd;

	start("30");
	fd = dial();
	say(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\nhello world");
	hear(fd, &r);
	CHECK_EQ(r.status, 200);
	CHECK(r.body_len == 11 && memcmp(r.body, "hello world", 11) == 0);
	say(fd, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		"3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n");
	hear(fd, &r);
	CHECK(r.body_len == 8 && memcmp(r.body, "abcdefgh", 8) == 0);
	say(fd, "GET /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi");
	hear(fd, &r);
	CHECK(r.body_len == 2 && memcmp(r.body, "hi", 2) == 0);
	say(fd, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
	hear(fd, &r);
	CHECK(r.status == 200 && r.body_len == 0);
	close(fd);
	stop(SIGTERM);
}

TEST(head_has_no_body)
{
	int fd;

	start("30");
	fd = dial();
	say(fd, "HEAD /hello HTTP/1.1\r\n" HOST "\r\n" "HEAD /nowhere HTTP/1.1\r\n" HOST "\r\n" GET);
	hear_head(fd, &r);
	CHECK_EQ(r.status, 200);
	CHECK(content_length(r.head) > 0);
	hear_head(fd, &r);
	CHECK_EQ(r.status, 404);
	hear(fd, &r);
	CHECK_EQ(r.status, 200);
	CHECK(r.body_len > 0);
	close(fd);
	stop(SIGTERM);
}

TEST(expect_continue)
{
	int fd;

	start("30");
	fd = dial();
	say(fd, "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
	hear_head(fd, &r);
	CHECK_EQ(r.status, 100);
	say(fd, "body");
	hear(fd, &r);
	CHECK(r.status == 200 && r.body_len == 4);
	say(fd, "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 999999\r\n\r\n");
	hear(fd, &r);
	CHECK_EQ(r.status, 413);	/* and not 100 before */
	expect_end(fd);
	stop(SIGTERM);
}

/* ---- connections ------------------------------------------------------------------------- */

TEST(http_1_0)
{
	int fd;

	start("30");
	ask("GET /hello HTTP/1.0\r\n\r\n", 200, 0);
	ask("GET /hello HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", 200, 0);
	fd = dial();
	for (int i = 0; i < 3; i++) {
		say(fd, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
		hear(fd, &r);
		CHECK_EQ(r.status, 200);
		CHECK(has(&r, "\r\nConnection: keep-alive\r\n"));
	}
	say(fd, "GET /hello HTTP/1.0\r\n\r\n");
	hear(fd, &r);
	expect_end(fd);
	stop(SIGTERM);
	CHECK_EQ(served(), 6);
}

/* What comes in one segment is answered in one segment, in order. */
TEST(pipelining)
{
	char *all = malloc(200000);
	int fd, n = 0;
	ssize_t got;

	start("30");
	fd = dial();
	say(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n1"
		"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n2"
		"GET /nowhere HTTP/1.1\r\n" HOST "\r\n"
		"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n3");
	got = read(fd, all, 200000);
	CHECK(got > 0);
	all[got] = 0;
	for (char *at = all; (at = strstr(at, "HTTP/1.1 ")) != NULL; at++)
		n++;
	CHECK_EQ(n, 4);
	CHECK(strstr(all, "\r\n\r\n1HTTP/1.1 200 OK") && strstr(all, "\r\n\r\n2HTTP/1.1 404 Not Found"));
	CHECK_EQ(all[got - 1], '3');
	free(all);
	for (int i = 0; i < 1000; i++)
		say(fd, GET GET GET);
	for (int i = 0; i < 3000; i++) {
		hear(fd, &r);
		CHECK_EQ(r.status, 200);
	}
	say(fd, GET "GET /hello HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" GET);
	hear(fd, &r);
	hear(fd, &r);
	expect_end(fd);			/* what comes after "close" is not answered */
	stop(SIGTERM);
	CHECK_EQ(served(), 3006);
}

TEST(byte_by_byte)
{
	static const char text[] = "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n";
	int fd;

	start("30");
	fd = dial();
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(text) - 1; i++) {
			say_n(fd, &text[i], 1);
			if (i % 16 == 0)
				usleep(1000);
		}
		hear_head(fd, &r);
		CHECK_EQ(r.status, 100);
		hear(fd, &r);
		CHECK_EQ(r.status, 200);
		CHECK(r.body_len == 5 && memcmp(r.body, "abcde", 5) == 0);
	}
	close(fd);
	stop(SIGTERM);
}

TEST(half_closed_client_is_answered)
{
	int fd;

	start("30");
	fd = dial();
	say(fd, GET GET);
	shutdown(fd, SHUT_WR);
	hear(fd, &r);
	hear(fd, &r);
	CHECK_EQ(r.status, 200);
	expect_end(fd);
	stop(SIGTERM);
}

/* The error comes through although the client has much more to send. */
TEST(refusal_is_not_lost_in_a_reset)
{
	char *junk = many('j', 100000);

	start("30");
	for (int i = 0; i < 20; i++) {
		int fd = dial();

		say(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n");
		say(fd, junk);
		hear(fd, &r);
		CHECK_EQ(r.status, 413);
		close(fd);
	}
	stop(SIGTERM);
}

static void reset(int fd)
{
	struct linger now = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static long stat_value(const char *name)
{
	int fd = dial();
	char *at;

	say(fd, "GET /stats HTTP/1.1\r\n" HOST "\r\n");
	hear(fd, &r);
	close(fd);
	r.body[r.body_len] = 0;
	at = strstr(r.body, name);
	CHECK(at != NULL);
	return atol(at + strlen(name));
}

/* Descriptors of the server. */
static int server_fds(void)
{
	char path[64];
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", server);
	d = opendir(path);
	CHECK(d != NULL);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

TEST(clients_that_vanish)
{
	int before, fd;

	start("30");
	(void)stat_value("requests ");
	usleep(100000);
	before = server_fds();
	for (int i = 0; i < 300; i++) {
		fd = dial();
		if (i % 4 > 0)
			say(fd, i % 4 == 1 ? "GET /hel" : GET GET GET);
		if (i % 4 == 3)
			hear(fd, &r);
		if (i % 8 < 4)
			reset(fd);
		else
			close(fd);
	}
	for (int i = 0; i < 100 && server_fds() != before; i++)
		usleep(20000);
	CHECK_EQ(server_fds(), before);
	CHECK_EQ(stat_value("connections "), 302);
	stop(SIGTERM);
}

/* Asks for much and reads nothing: ends when its patience does, and nobody else suffers. */
TEST(client_that_does_not_read)
{
	static const char request[] = "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65536\r\n\r\n";
	char *body = many('x', 65536);
	int before, fd, small = 4096;

	start("0.5");
	before = server_fds();
	fd = dial();
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (int i = 0; i < 400; i++) {
		if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ||
		    send(fd, body, 65536, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			usleep(1000);
	}
	ask(GET, 200, 1);
	for (int i = 0; i < 200 && server_fds() != before; i++)
		usleep(20000);
	CHECK_EQ(server_fds(), before);
	close(fd);
	stop(SIGTERM);
}

/* ---- patience ---------------------------------------------------------------------------- */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

TEST(slow_request_times_out)
{
	static const char slowly[] = "GET ";
	double began;
	int fd;

	start("0.5");
	fd = dial();
	say(fd, GET);
	hear(fd, &r);
	began = now();
	for (int i = 0; i < 4; i++) {		/* a byte now and then does not help */
		say_n(fd, &slowly[i], 1);
		usleep(100000);
	}
	hear(fd, &r);
	CHECK_EQ(r.status, 408);
	CHECK(now() - began >= 0.49 && now() - began < 2.0);
	expect_end(fd);
	fd = dial();
	began = now();
	say(fd, "GET /hello HT");
	hear(fd, &r);
	CHECK_EQ(r.status, 408);
	CHECK(now() - began >= 0.49);
	expect_end(fd);
	stop(SIGTERM);
}

TEST(idle_connection_is_closed)
{
	double began;
	int fd;

	start("0.5");
	fd = dial();
	began = now();
	for (int i = 0; i < 5; i++) {		/* blank lines are no request */
		usleep(50000);
		say(fd, "\r\n");
	}
	expect_end(fd);
	CHECK(now() - began >= 0.49 && now() - began < 1.5);
	fd = dial();
	for (int i = 0; i < 4; i++) {		/* each request begins it anew */
		say(fd, GET);
		hear(fd, &r);
		CHECK_EQ(r.status, 200);
		usleep(300000);
	}
	expect_end(fd);
	stop(SIGTERM);
}

/* ---- many -------------------------------------------------------------------------------- */

TEST(thousands_of_connections)
{
	struct rlimit lim;
	int *fd, n = 10000;

	CHECK(getrlimit(RLIMIT_NOFILE, &lim) == 0);
	lim.rlim_cur = lim.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &lim) == 0);
	if (lim.rlim_max < (rlim_t)n + 100)
		n = (int)lim.rlim_max - 100;
	fd = calloc((size_t)n, sizeof(*fd));
	start("60");
	for (int i = 0; i < n; i++)
		fd[i] = dial();
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < n; i++)
			say(fd[i], GET);
		for (int i = 0; i < n; i++) {
			hear(fd[i], &r);
			CHECK_EQ(r.status, 200);
		}
	}
	CHECK_EQ(stat_value("connections "), n + 1);
	stop(SIGTERM);
	CHECK_EQ(served(), 2 * n + 1);
	for (int i = 0; i < n; i++)
		close(fd[i]);
}

/* ---- the end ----------------------------------------------------------------------------- */

/* Idle connections do not delay it. */
TEST(ends_at_once_when_idle)
{
	double began;
	int fd[10];

	start("30");
	for (int i = 0; i < 10; i++) {
		fd[i] = dial();
		say(fd[i], GET);
		hear(fd[i], &r);
	}
	began = now();
	CHECK(kill(server, SIGINT) == 0);
	for (int i = 0; i < 10; i++)
		expect_end(fd[i]);
	await_end();
	CHECK(now() - began < 1.5);
	CHECK_EQ(served(), 10);
}

/* A request that has begun is answered; the connection ends after it; nobody new gets in. */
TEST(ends_after_what_was_begun)
{
	int fd, idle;

	start("30");
	idle = dial();
	fd = dial();
	say(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhello");
	usleep(100000);
	CHECK(kill(server, SIGTERM) == 0);
	expect_end(idle);
	usleep(300000);
	say(fd, "world");
	hear(fd, &r);
	CHECK_EQ(r.status, 200);
	CHECK(r.body_len == 10 && memcmp(r.body, "helloworld", 10) == 0);
	CHECK(has(&r, "\r\nConnection: close\r\n"));
	expect_end(fd);
	await_end();
	CHECK_EQ(served(), 1);
}

/* One that never ends is cut off after some seconds. */
TEST(ends_without_those_who_never_end)
{
	double began;
	int fd;

	start("30");
	fd = dial();
	say(fd, "GET /hello HTTP/1.1\r\nHost:");
	usleep(100000);
	began = now();
	stop(SIGTERM);
	CHECK(now() - began > 3 && now() - began < 9);
	CHECK_EQ(served(), 0);
	close(fd);
}

static int run_httpd(const char *a, const char *b, const char *c)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(1, 2);
		execl(getenv("HTTPD"), "httpd", a, b, c, NULL);
		_exit(127);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

TEST(wrong_use)
{
	char used[16];

	start("30");
	snprintf(used, sizeof(used), "%d", port);
	CHECK_EQ(run_httpd("-p", used, NULL), 1);
	CHECK_EQ(run_httpd("-p", "http", NULL), 1);
	CHECK_EQ(run_httpd("-a", "nowhere", NULL), 1);
	CHECK_EQ(run_httpd("-x", NULL, NULL), 2);
	CHECK_EQ(run_httpd("-t", "0", NULL), 2);
	CHECK_EQ(run_httpd("-p", "0", "more"), 2);
	stop(SIGTERM);
}
