/* SPDX-License-Identifier: MIT */
/*
 * label.c - names and labels of goroutines.
 *
 * Owns:       gp->labels, gp->h.name, the texts they point to.
 * Text:       what gp->h.name points to is "name{key=value,key=value}"; either part may be missing.
 *             A set of labels is its text, immutable and counted: a child takes a reference of its
 *             parent's. Without a name of its own, a G shows the text of its set; with one it has a
 *             text of its own, made of both.
 * Invariants: every text lies in a block of fixed size, from slabs that are never given back: a block
 *             is always memory of this kind, and its last byte is always NUL.
 * Locks:      pool_lock (rank LABEL, a leaf) guards the free list.
 * Ordering:   MO-S21 h.name: release after the text is written, pairs with the acquire of readers in
 *             this process. MO-S22 refs: the last put sees that the others are done.
 *
 * Readers of a dying name. Tools read from outside (process_vm_readv, /proc, BPF): they copy a
 * bounded number of bytes and get EFAULT at worst. Dumps read from inside, perhaps from a signal
 * handler, and take no lock: they read the pointer, then at most RT_LABEL_TEXT bytes. If the G ends
 * meanwhile, the block is reused for another text and the reader shows that one, or a mixture; it
 * never runs past the block, nor into memory that is gone. Rejected: freeing after a grace period
 * (a name costs more then, and a stopped or hung process must be readable all the same).
 */
#include "sync/label.h"

#include <errno.h>
#include <gmprt/proc.h>
#include <stdlib.h>
#include <string.h>

#define SLAB_BLOCKS	64

struct rt_labels {
	struct rt_labels *next;		/* while free: pool_lock */
	uint32_t refs;			/* atomic, MO-S22 */
	uint16_t name_len;		/* const while referenced: the part before '{' */
	uint16_t len;			/* const while referenced */
	char text[RT_LABEL_TEXT];
};

rt_static_assert(sizeof(struct rt_labels) == 256, "a block");
rt_static_assert(GMP_NAME_MAX + GMP_LABELS_MAX < RT_LABEL_TEXT, "both parts fit a block");

static struct rt_lock pool_lock = RT_LOCK_INIT(LABEL);
static struct rt_labels *pool;		/* pool_lock */
static struct slab {
	struct slab *next;
	struct rt_labels block[SLAB_BLOCKS];
} *slabs;				/* pool_lock; kept for ever */

/* ---- blocks ------------------------------------------------------------------------------------ */

static struct rt_labels *pool_pop(void)
{
	struct rt_labels *l;

	rt_lock(&pool_lock);
	l = pool;
	if (l)
		pool = l->next;
	rt_unlock(&pool_lock);
	return l;
}

static void pool_push(struct rt_labels *first, struct rt_labels *last)
{
	rt_lock(&pool_lock);
	last->next = pool;
	pool = first;
	rt_unlock(&pool_lock);
}

static bool pool_grow(void)
{
	struct slab *s = calloc(1, sizeof(*s));

	if (!s)
		return false;
	for (int i = 0; i < SLAB_BLOCKS - 1; i++)
		s->block[i].next = &s->block[i + 1];
	rt_lock(&pool_lock);
	s->next = slabs;
	slabs = s;
	rt_unlock(&pool_lock);
	pool_push(&s->block[0], &s->block[SLAB_BLOCKS - 1]);
	return true;
}

static struct rt_labels *block_new(void)
{
	struct rt_labels *l;

	while ((l = pool_pop()) == NULL)
		if (!pool_grow())
			return NULL;
	l->refs = 1;
	l->name_len = l->len = 0;
	rt_store_rlx(&l->text[0], 0);
	return l;
}

struct rt_labels *rt_labels_get(struct rt_labels *l)
{
	if (l)
		rt_add_rlx(&l->refs, 1);
	return l;
}

void rt_labels_put(struct rt_labels *l)
{
	if (l && rt_sub_ar(&l->refs, 1) == 0)	/* MO-S22: pairs with itself */
		pool_push(l, l);
}

/* ---- texts --------------------------------------------------------------------------------------- */

static void append(struct rt_labels *l, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)		/* who still reads the block's last text: rt_label_read() */
		rt_store_rlx(&l->text[l->len + i], s[i]);
	l->len = (uint16_t)(l->len + n);
	rt_store_rlx(&l->text[l->len], 0);
}

/* The next "key=value" of a set, from *@at on; its length, 0 at the end. */
static size_t next_pair(const char **at)
{
	if (**at == '}' || !**at)
		return 0;
	(*at)++;	/* '{' or ',' */
	return strcspn(*at, ",}");
}

static const char *find_value(const struct rt_labels *set, const char *key, size_t *n)
{
	const char *p = set ? set->text : "";
	size_t len, k = strlen(key);

	for (; (len = next_pair(&p)) != 0; p += len)
		if (len > k && p[k] == '=' && memcmp(p, key, k) == 0) {
			*n = len - k - 1;
			return p + k + 1;
		}
	return NULL;
}

/* Adds one pair if there is room for it and the closing brace. */
static bool add_pair(struct rt_labels *l, const char *key, size_t k, const char *value, size_t v)
{
	if (l->len + k + v + 3 > GMP_LABELS_MAX)
		return false;
	append(l, l->len ? "," : "{", 1);
	append(l, key, k);
	append(l, "=", 1);
	append(l, value, v);
	return true;
}

/* @old with @key changed (@value NULL: without it) into *@out; NULL for an empty set. 0 or -errno. */
static int set_change(const struct rt_labels *old, const char *key, const char *value,
		      struct rt_labels **out)
{
	struct rt_labels *l = block_new();
	const char *p = old ? old->text : "";
	size_t len, k = strlen(key);
	bool ok = true;

	if (!l)
		return -ENOMEM;
	for (; (len = next_pair(&p)) != 0; p += len) {
		size_t pk = strcspn(p, "=");

		if (pk != k || memcmp(p, key, k) != 0)
			add_pair(l, p, pk, p + pk + 1, len - pk - 1);
	}
	if (value)
		ok = add_pair(l, key, k, value, strlen(value));
	if (l->len)
		append(l, "}", 1);
	*out = l;
	if (ok && l->len)
		return 0;
	rt_labels_put(l);
	*out = NULL;
	return ok ? 0 : -ENOSPC;
}

/* ---- what a G shows --------------------------------------------------------------------------------- */

static struct rt_labels *shown(const struct rt_g *gp)
{
	return gp->h.name ? rt_container_of((char *)(uintptr_t)gp->h.name, struct rt_labels, text) : NULL;
}

static void show(struct rt_g *gp, struct rt_labels *l)
{
	/* MO-S21: release; pairs with the acquire in rt_label_read(). */
	rt_store_rel(&gp->h.name, l ? (uintptr_t)l->text : 0);
}

/* @gp gets the set @set, whose reference is handed over, and the name @name. 0 or -ENOMEM, then as before. */
static int change(struct rt_g *gp, struct rt_labels *set, const char *name, size_t n)
{
	struct rt_labels *old_set = gp->labels, *old = shown(gp), *l = set;

	if (n) {
		l = block_new();
		if (!l) {
			rt_labels_put(set);
			return -ENOMEM;
		}
		append(l, name, n);
		l->name_len = (uint16_t)n;
		if (set)
			append(l, set->text, set->len);
	}
	show(gp, l);
	gp->labels = set;
	if (old && old != old_set)
		rt_labels_put(old);
	rt_labels_put(old_set);
	return 0;
}

static int set_name(struct rt_g *gp, const char *name)
{
	size_t n = name ? strnlen(name, GMP_NAME_MAX + 1) : 0;

	if (n > GMP_NAME_MAX)
		return -ENAMETOOLONG;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return -EINVAL;
	return change(gp, rt_labels_get(gp->labels), name, n);
}

static void inherit(struct rt_g *child, struct rt_g *parent)
{
	child->labels = rt_labels_get(parent->labels);
	show(child, child->labels);
}

static void drop(struct rt_g *gp)
{
	change(gp, NULL, NULL, 0);
}

static const struct rt_label_ops ops = { .inherit = inherit, .drop = drop, .set_name = set_name };
const struct rt_label_ops *rt_label_ops = &ops;

void rt_label_read(const struct rt_g *gp, char *buf, size_t n)
{
	/* MO-S21: acquire; pairs with show(). */
	const char *text = (const char *)(uintptr_t)rt_load_acq(&gp->h.name);
	size_t i = 0;

	for (; text && i + 1 < n && i < RT_LABEL_TEXT && rt_load_rlx(&text[i]); i++)
		buf[i] = rt_load_rlx(&text[i]);
	if (n)
		buf[i] = 0;
}

/* ---- the calls --------------------------------------------------------------------------------------- */

/* What cannot be written is told before what does not fit. */
static int label_check(const char *s, size_t least)
{
	size_t n = strnlen(s, GMP_LABELS_MAX + 1);

	if (n < least)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ' || strchr("{}=,\x7f", s[i]))
			return -EINVAL;
	return n > GMP_LABELS_MAX ? -ENOSPC : 0;
}

RT_PUBLIC int gmp_set_name(const char *name)
{
	struct rt_g *gp = rt_getg();

	return gp ? set_name(gp, name) : -EPERM;
}

RT_PUBLIC int gmp_set_label(const char *key, const char *value)
{
	struct rt_g *gp = rt_getg();
	struct rt_labels *set, *old;
	int err = key ? label_check(key, 1) : -EINVAL;

	if (!err && value)
		err = label_check(value, 0);
	if (err)
		return err;
	if (!gp)
		return -EPERM;
	err = set_change(gp->labels, key, value, &set);
	if (err)
		return err;
	old = shown(gp);
	return change(gp, set, old ? old->text : NULL, old ? old->name_len : 0);
}

static int answer(const char *s, size_t len, char *buf, size_t n)
{
	if (len >= n)
		return -ENOSPC;
	memcpy(buf, s, len);
	buf[len] = 0;
	return (int)len;
}

RT_PUBLIC int gmp_get_name(char *buf, size_t n)
{
	struct rt_g *gp = rt_getg();
	struct rt_labels *l;

	if (!buf)
		return -EINVAL;
	if (!gp)
		return -EPERM;
	l = shown(gp);
	return answer(l ? l->text : "", l ? l->name_len : 0, buf, n);
}

RT_PUBLIC int gmp_get_label(const char *key, char *buf, size_t n)
{
	struct rt_g *gp = rt_getg();
	const char *value;
	size_t len;

	if (!key || !buf)
		return -EINVAL;
	if (!gp)
		return -EPERM;
	value = find_value(gp->labels, key, &len);
	return value ? answer(value, len, buf, n) : -ENOENT;
}
