// SPDX-License-Identifier: GPL-2.0-only
/*
 * dev.c - /dev/gmp: open, ioctl, mmap, release.
 *
 * Owns:       struct gmp_file.
 * Invariants: a file serves the process that opened it and no other; it gets at most one group, and
 *             keeps that until its release, dead or not.
 * Locks:      none; f->grp is set under the lock of the registry (group.c).
 * Not here:   what the commands do.
 *
 * Every command is refused in the same order: ENOTTY unknown; EPERM another process; EFAULT and
 * EINVAL for the argument by itself; ENOTCONN not attached; then what the command says.
 */
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"

/**
 * struct gmp_file - an open /dev/gmp
 * @opener: constant; process that opened it, holds a reference
 * @grp: set once under the lock of the registry (KA-2); holds a reference
 */
struct gmp_file {
	struct pid		*opener;
	struct gmp_group	*grp;
};

static int dev_open(struct inode *inode, struct file *file)
{
	struct gmp_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return -ENOMEM;
	f->opener = get_pid(task_tgid(current));
	file->private_data = f;
	return nonseekable_open(inode, file);
}

/*
 * Not before the last descriptor is closed and the last mapping gone, in whatever process. Another one was
 * only handed it, or inherited it: it waits for nobody's readers.
 */
static int dev_release(struct inode *inode, struct file *file)
{
	struct gmp_file *f = file->private_data;

	if (f->grp) {
		if (f->opener == task_tgid(current))
			gmp_group_retire(f->grp);
		else
			gmp_group_kill(f->grp);
		gmp_group_put(f->grp);
	}
	put_pid(f->opener);
	kfree(f);
	return 0;
}

/* The group of a file, if the process is attached through it and still runs the same program. */
static struct gmp_group *file_group(struct gmp_file *f)
{
	/* KA-2: pairs with gmp_group_publish() */
	struct gmp_group *grp = smp_load_acquire(&f->grp);

	return grp && !gmp_group_is_dead(grp) ? grp : NULL;
}

static int attach(struct gmp_file *f, void __user *arg)
{
	struct gmp_group *grp;
	struct gmp_attach a;
	int err;

	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	if (a.size != sizeof(a) || (a.flags & ~GMP_ATTACH_ACCT) || a.reserved)
		return -EINVAL;
	grp = gmp_group_create(&a);
	if (IS_ERR(grp))
		return PTR_ERR(grp);
	a.user_len = (u64)grp->user.nr_pages << PAGE_SHIFT;
	a.kern_len = (u64)grp->kern.nr_pages << PAGE_SHIFT;
	a.p_off = grp->p_off;
	a.abi_version = GMP_ABI_VERSION;
	err = copy_to_user(arg, &a, sizeof(a)) ? -EFAULT : gmp_group_publish(grp, &f->grp);
	if (err)
		gmp_group_put(grp);
	return err;
}

static int m_register(struct gmp_file *f, void __user *arg)
{
	struct gmp_group *grp = file_group(f);
	struct gmp_m_register r;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.size != sizeof(r) || r.flags)
		return -EINVAL;
	return grp ? gmp_worker_register(grp, &r) : -ENOTCONN;
}

static int m_unregister(struct gmp_file *f)
{
	struct gmp_group *grp = file_group(f);

	return grp ? gmp_worker_unregister(grp) : -ENOTCONN;
}

static int handoff(struct gmp_file *f, void __user *arg)
{
	struct gmp_group *grp = file_group(f);
	struct gmp_handoff how;

	if (copy_from_user(&how, arg, sizeof(how)))
		return -EFAULT;
	if (how.size != sizeof(how) || how.flags)
		return -EINVAL;
	return grp ? gmp_handoff_set(grp, &how) : -ENOTCONN;
}

static int standby(struct gmp_file *f, void __user *arg)
{
	struct gmp_group *grp = file_group(f);
	struct gmp_standby s;
	int ret;

	if (copy_from_user(&s, arg, sizeof(s)))
		return -EFAULT;
	if (s.size != sizeof(s) || s.flags || s.reserved)
		return -EINVAL;
	if (!grp)
		return -ENOTCONN;
	ret = gmp_standby_wait(grp, s.timeout_ns, &s.p);
	if (!ret && copy_to_user(arg, &s, sizeof(s)))
		return -EFAULT;
	return ret;
}

static int kick(struct gmp_file *f, unsigned long slot)
{
	struct gmp_group *grp = file_group(f);

	return grp ? gmp_standby_kick(grp, slot) : -ENOTCONN;
}

static int preempt(struct gmp_file *f, unsigned long slot)
{
	struct gmp_group *grp = file_group(f);

	return grp ? gmp_handoff_preempt(grp, slot) : -ENOTCONN;
}

/* The number of a command we know, but with an argument of another size: short or oversized. */
static bool is_resized(unsigned int cmd)
{
	static const unsigned int sized[] = { GMP_IOC_ATTACH, GMP_IOC_M_REGISTER,
					      GMP_IOC_HANDOFF, GMP_IOC_STANDBY };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sized); i++)
		if ((cmd & ~IOCSIZE_MASK) == (sized[i] & ~IOCSIZE_MASK))
			return cmd != sized[i];
	return false;
}

static bool is_known(unsigned int cmd)
{
	return cmd == GMP_IOC_ATTACH || cmd == GMP_IOC_M_REGISTER ||
	       cmd == GMP_IOC_M_UNREGISTER || cmd == GMP_IOC_HANDOFF || cmd == GMP_IOC_STANDBY ||
	       cmd == GMP_IOC_KICK || cmd == GMP_IOC_PREEMPT;
}

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct gmp_file *f = file->private_data;
	bool resized = is_resized(cmd);

	if (!is_known(cmd) && !resized)
		return -ENOTTY;
	if (f->opener != task_tgid(current))
		return -EPERM;
	if (resized)
		return -EINVAL;
	switch (cmd) {
	case GMP_IOC_ATTACH:
		return attach(f, (void __user *)arg);
	case GMP_IOC_M_REGISTER:
		return m_register(f, (void __user *)arg);
	case GMP_IOC_HANDOFF:
		return handoff(f, (void __user *)arg);
	case GMP_IOC_STANDBY:
		return standby(f, (void __user *)arg);
	case GMP_IOC_KICK:
		return kick(f, arg);
	case GMP_IOC_PREEMPT:
		return preempt(f, arg);
	default:
		return m_unregister(f);
	}
}

#ifdef CONFIG_COMPAT
/* A 32-bit program has neither fsbase nor 64-bit atomics as we need them. */
static long dev_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return -EOPNOTSUPP;
}
#endif

static int dev_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct gmp_file *f = file->private_data;
	struct gmp_group *grp = file_group(f);

	if (f->opener != task_tgid(current))
		return -EPERM;
	return grp ? gmp_pages_mmap(grp, vma) : -ENOTCONN;
}

static const struct file_operations dev_fops = {
	.owner		= THIS_MODULE,
	.open		= dev_open,
	.release	= dev_release,
	.unlocked_ioctl	= dev_ioctl,
#ifdef CONFIG_COMPAT
	.compat_ioctl	= dev_compat_ioctl,
#endif
	.mmap		= dev_mmap,
	.llseek		= noop_llseek,
};

static struct miscdevice dev_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "gmp",
	.fops	= &dev_fops,
	.mode	= 0666,
};

/**
 * gmp_dev_init() - make /dev/gmp: from here on anybody may come
 *
 * Return: 0 or what misc_register() says.
 */
int gmp_dev_init(void)
{
	return misc_register(&dev_misc);
}

/**
 * gmp_dev_exit() - remove /dev/gmp; no file of it is open
 */
void gmp_dev_exit(void)
{
	misc_deregister(&dev_misc);
}
