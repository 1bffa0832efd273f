#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual pages of section 3, from the comments of the public headers.

usage: kdoc2man.py HEADER_FOLDER OUT_FOLDER [DATE]

Each comment of the form "name() - what it does" or "a(), b() - what they do" becomes a page named for
its first call, with links from the others. The paragraphs "Context:", "Return:" and "Since" become
sections, the prototypes that follow the comment the synopsis. A call without a comment fails: a public
call has a manual page.
"""
import os
import re
import sys

HEAD = re.compile(r'^(?:struct )?(\w+(?:\(\))?(?:, \w+\(\))*)(?:;.*?)? - (.*)$')
CALL = re.compile(r'\b(gmp_[a-z_]+) ?\(')


def roff(text):
    """One paragraph as troff: @arguments in italics, nothing taken for a request."""
    text = text.replace('\\', '\\e').replace('-', '\\-')
    text = re.sub(r'@(\w+)', r'\\fI\1\\fP', text)
    return '\n'.join('\\&' + l if l[:1] in ".'" else l for l in text.split('\n'))


def comments(source):
    """(the lines of a comment, the code up to the next blank line) for all comments of a header"""
    for m in re.finditer(r'/\*\*?\s(.*?)\*/\n?((?:(?!\n\n|/\*).)*)', source, re.S):
        lines = [re.sub(r'^\s*\*? ?', '', l).rstrip() for l in m.group(1).strip().split('\n')]
        yield lines, m.group(2).strip()


def parse(lines, code):
    """A page as a dictionary, or None for a comment about something else."""
    m = HEAD.match(lines[0]) if lines else None
    if not m or not m.group(1).startswith(('gmp_', 'GMP_')):
        return None
    names = re.findall(r'\b(gmp_\w+|GMP_\w+)', lines[0].split(' - ')[0])
    # a second pair in one line: "a() - x; b() - y"
    names += [n for n in re.findall(r'[;.] (gmp_\w+)\(\)(?:, (?:gmp_\w+)\(\))* - ', lines[0]) if n not in names]
    names += [n for n in CALL.findall(code) if n not in names and ';' in code]
    page = {'names': names, 'what': m.group(2), 'code': code, 'args': [], 'body': [], 'context': '', 'ret': ''}
    where = 'what' if not (lines[1:] and (lines[1] == '' or lines[1].startswith('@'))) else 'body'
    para = []

    def flush():
        if para:
            page['body'].append('\n'.join(para))
            para.clear()

    for line in lines[1:]:
        # several of these may stand in one line
        for piece in re.split(r'(?=\bContext: |\bReturn: |\bSince:? 0\.)', line) if line else ['']:
            arg = re.match(r'@(\w+): (.*)', piece)
            if piece.startswith('Since'):
                flush(); where = 'since'
            elif piece.startswith('Context: '):
                flush(); where = 'context'; page['context'] = piece[9:]
            elif piece.startswith('Return: '):
                flush(); where = 'ret'; page['ret'] = piece[8:]
            elif arg:
                where = 'args'; page['args'].append([arg.group(1), arg.group(2)])
            elif not piece:
                flush()
                where = 'body'
            elif where in ('context', 'ret', 'what'):
                page[where] += '\n' + piece
            elif where == 'args':
                page['args'][-1][1] += '\n' + piece.strip()
            elif where == 'body':
                para.append(piece)
    flush()
    # a page in one line has all of it there
    for key, word in (('ret', 'Return: '), ('context', 'Context: ')):
        if word in page['what']:
            page['what'], page[key] = page['what'].split(word, 1)
    page['what'] = re.sub(r'\s*Since:? 0\.\d\.?', '', page['what'])
    for key in ('ret', 'context'):
        page[key] = re.sub(r'\s*Since:? 0\.\d\.?\s*$', '', page[key]).strip()
    return page


def sentence(text):
    return text if text.startswith(('gmp_', '@')) else text[:1].upper() + text[1:]


def write(page, header, out, date):
    first = page['names'][0]
    short = re.sub(r'\s+', ' ', re.split(r'[;.:]( |$)', page['what'], maxsplit=1)[0])
    text = ['.\\" SPDX-License-Identifier: MIT', '.\\" made by tools/dev/kdoc2man.py from <gmprt/%s>' % header,
            '.TH %s 3 "%s" gmprt "libgmprt"' % (first, date),
            '.SH NAME', '%s \\- %s' % (', '.join(page['names']), roff(short)),
            '.SH LIBRARY', 'Goroutines for C', '.RI ( libgmprt ", " \\-lgmprt )',
            '.SH SYNOPSIS', '.nf', '.B #include <gmprt.h>', '.PP', page['code'].replace('\\', '\\e'), '.fi',
            '.SH DESCRIPTION', roff(sentence(page['what'])).rstrip('.') + '.']
    for name, what in page['args']:
        text += ['.TP', '.I ' + name, roff(what)]
    for para in page['body']:
        text += ['.PP', roff(para)]
    if page['context']:
        text += ['.SH CONTEXT', roff(page['context'])]
    if page['ret']:
        text += ['.SH "RETURN VALUE"', roff(page['ret'])]
    text += ['.SH "SEE ALSO"', '.BR gmprt (7)']
    with open(os.path.join(out, first + '.3'), 'w') as f:
        f.write('\n'.join(text) + '\n')
    for other in page['names'][1:]:
        with open(os.path.join(out, other + '.3'), 'w') as f:
            f.write('.so man3/%s.3\n' % first)


def main(folder, out, date=''):
    os.makedirs(out, exist_ok=True)
    seen, wanted = set(), {}
    for header in sorted(os.listdir(folder)):
        with open(os.path.join(folder, header)) as f:
            source = f.read()
        if header in ('go.h', 'gmp_abi.h', 'base.h', 'errno.h'):
            continue
        code = re.sub(r'/\*.*?\*/', '', source, flags=re.S)
        code = re.sub(r'(?m)^#define(?:.*\\\n)*.*$', '', code)	# bodies of macros are no prototypes
        for name in CALL.findall(code):
            if not name.endswith('_'):
                wanted.setdefault(name, header)
        for lines, after in comments(source):
            page = parse(lines, after)
            if page:
                write(page, header, out, date)
                seen.update(page['names'])
    missing = sorted(set(wanted) - seen - {'gmp_go_copy'})	# a part of a macro
    for name in missing:
        print('kdoc2man: no comment "%s() - ..." in <gmprt/%s>' % (name, wanted[name]), file=sys.stderr)
    return 1 if missing else 0


sys.exit(main(*sys.argv[1:]))
