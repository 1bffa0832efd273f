/* SPDX-License-Identifier: MIT */
/*
 * kern_ko.c - the backend of gmp.ko: /dev/gmp and the shared pages.
 *
 * Owns:       the descriptor and the two mappings, from attach() to detach().
 * Lifetime:   the descriptor is close-on-exec and useless in a forked child (the module answers EPERM).
 */
#include "os/kern.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/throw.h"
#include "gmprt/debug.h"
#include "sched/env.h"

static struct {
	uint32_t refused;	/* atomic; Ms that were: the first is told of */
	int fd;
	dev_t dev;		/* what @fd was opened as: the program may close it, and have another one of that number */
	void *user, *kern;
	size_t user_len, kern_len;
} ko = { .fd = -1 };

#define A_LIMIT	"a limit is reached, see max_* in /sys/module/gmp/parameters"

static dev_t device_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) ? st.st_rdev : 0;
}

static void ko_detach(void)
{
	if (ko.user)
		munmap(ko.user, ko.user_len);
	if (ko.kern)
		munmap(ko.kern, ko.kern_len);
	if (ko.fd >= 0 && device_of(ko.fd) == ko.dev)
		close(ko.fd);
	ko.user = ko.kern = NULL;
	ko.refused = 0;
	ko.fd = -1;
}

static int map(uint64_t off, size_t len, int prot, void **out)
{
	void *p = mmap(NULL, len, prot, MAP_SHARED, ko.fd, (off_t)off);

	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	return 0;
}

static int map_both(const struct gmp_attach *a)
{
	int err;

	ko.user_len = a->user_len;
	ko.kern_len = a->kern_len;
	err = map(GMP_MMAP_USER, ko.user_len, PROT_READ | PROT_WRITE, &ko.user);
	if (err)
		return err;
	return map(GMP_MMAP_KERN, ko.kern_len, PROT_READ, &ko.kern);
}

/* As many slots as the parameter max_slots lets us have, or half as many; Ms beyond run without the module. */
static int attach_all(struct gmp_attach *a)
{
	int err;

	while ((err = ioctl(ko.fd, GMP_IOC_ATTACH, a) < 0 ? -errno : 0) == -EINVAL && a->nr_m > 1)
		a->nr_m /= 2;
	return err;
}

static int ko_attach(int64_t tls_off, uint64_t layout, struct rt_kern_shared *sh)
{
	struct gmp_attach a = {
		.size = sizeof(a), .flags = rt_env.acct ? GMP_ATTACH_ACCT : 0, .nr_m = GMP_MAX_M, .nr_p = GMP_MAX_P,
		.tls_off = tls_off, .layout = layout,
	};
	int err;

	ko.fd = open(GMP_DEV_PATH, O_RDWR | O_CLOEXEC);
	if (ko.fd < 0)
		return -errno;
	ko.dev = device_of(ko.fd);
	err = attach_all(&a);
	if (!err)
		err = map_both(&a);
	if (err) {
		ko_detach();
		return err;
	}
	*sh = (struct rt_kern_shared){
		.m_user = ko.user,
		.p_shared = (struct gmp_p_shared *)((char *)ko.user + a.p_off),
		.m_kern = ko.kern,
		.nr_m = a.nr_m,
		.nr_p = a.nr_p,
	};
	return 0;
}

static int ko_register(uint32_t slot, uint32_t m_id)
{
	struct gmp_m_register r = { .size = sizeof(r), .slot = slot, .m_id = m_id };
	int err = ioctl(ko.fd, GMP_IOC_M_REGISTER, &r) < 0 ? -errno : 0;

	if (err && rt_env.stats && rt_add_rlx(&ko.refused, 1) == 1)
		rt_say("gmprt: " GMP_DEV_PATH " refuses a thread (%s): it runs without the module\n",
		       err == -EAGAIN ? A_LIMIT : strerrordesc_np(-err));
	return err;
}

static void ko_unregister(void)
{
	ioctl(ko.fd, GMP_IOC_M_UNREGISTER);
}

static int ko_handoff(const struct gmp_handoff *how)
{
	return ioctl(ko.fd, GMP_IOC_HANDOFF, how) < 0 ? -errno : 0;
}

static int ko_standby(int64_t ns, uint32_t *p)
{
	struct gmp_standby s = { .size = sizeof(s), .timeout_ns = ns };
	int ret = ioctl(ko.fd, GMP_IOC_STANDBY, &s);

	*p = s.p;
	return ret < 0 ? -errno : ret;
}

/* Context: any thread, maybe in the midst of a goroutine's code: errno stays. */
static int ask(unsigned long what, uint32_t slot)
{
	int saved = errno, err = ioctl(ko.fd, what, (unsigned long)slot) < 0 ? -errno : 0;

	errno = saved;
	return err;
}

static int ko_kick(uint32_t slot)
{
	return ask(GMP_IOC_KICK, slot);
}

static int ko_preempt(uint32_t slot)
{
	return ask(GMP_IOC_PREEMPT, slot);
}

const struct rt_kern_ops rt_kern_ko = {
	.name = "ko",
	.attach = ko_attach,
	.m_register = ko_register,
	.m_unregister = ko_unregister,
	.handoff = ko_handoff,
	.standby = ko_standby,
	.kick = ko_kick,
	.preempt = ko_preempt,
	.detach = ko_detach,
};

/* ---- which backend --------------------------------------------------------------------------------------- */

static void say_why_not(int err)
{
	if (err == -ENOENT)
		rt_say("gmprt: no " GMP_DEV_PATH " (gmp.ko is not loaded): running without the module\n");
	else if (err == -EACCES || err == -EPERM)
		rt_say("gmprt: no access to " GMP_DEV_PATH ": running without the module\n");
	else
		rt_say("gmprt: " GMP_DEV_PATH ": %s: running without the module\n",
		       err == -EAGAIN ? A_LIMIT : strerrordesc_np(-err));
}

static const struct rt_kern_ops *backend = &rt_kern_none;	/* atomic */

RT_PUBLIC const char *gmp_kern_backend(void)
{
	return rt_load_acq(&backend)->name;
}

static const struct rt_kern_ops *choose(int64_t tls_off, uint64_t layout, struct rt_kern_shared *sh)
{
	int err;

	if (!rt_env.no_ko) {
		err = rt_kern_ko.attach(tls_off, layout, sh);
		if (!err)
			return &rt_kern_ko;
		if (rt_env.only_ko)
			rt_throw_errno("GMP_DEBUG=kern=ko: " GMP_DEV_PATH, err);
		if (rt_env.stats)
			say_why_not(err);
	}
	rt_kern_none.attach(tls_off, layout, sh);
	return &rt_kern_none;
}

const struct rt_kern_ops *rt_kern_attach(int64_t tls_off, uint64_t layout, struct rt_kern_shared *sh)
{
	const struct rt_kern_ops *ops = choose(tls_off, layout, sh);

	rt_store_rel(&backend, ops);
	return ops;
}

void rt_kern_detach(void)
{
	rt_load_acq(&backend)->detach();
	rt_store_rel(&backend, &rt_kern_none);
}
