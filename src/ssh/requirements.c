/* SPDX-License-Identifier: Apache-2.0 */
#include "ssh/requirements.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/strv.h"

/* trouble STATE: what cloud-init says, bounded. Only after an error: it takes seconds. */
static const char trouble_function[] =
    "trouble() {\n"
    " echo " REMOTE_TROUBLE "\n"
    " echo cloud-init $1\n"
    " { timeout 60 cloud-init status --long\n"
    " sudo -n tail -n 12 /var/log/cloud-init-output.log; } </dev/null 2>&1 |\n"
    "  tail -n 20 | cut -b 1-500 | sed 's/^/| /'\n"
    " echo " REMOTE_TROUBLE_END "\n"
    "}\n";

/* stuck: cloud-init is over and no boot script of ours runs: those that are waited for won't come. */
static const char stuck_function[] =
    "stuck() {\n"
    " [ -e /run/cloud-init/result.json ] && [ ! -e /run/lima-reboot-required ] || return 1\n"
    " p=\n"
    " { read -r p </run/cima-boot-running; } 2>/dev/null\n"
    " [ -z \"$p\" ] || [ ! -d /proc/$p ]\n"
    "}\n";

/* wait_for FILE: until its first line is $iid (or, without one, until it is there). Only the sleep
 * forks, which is what costs in an emulated guest; it starts short because most waits are short. A
 * sleep that knows no fractions fails at once, then it is whole seconds. The guest is stuck when it
 * has been so five times, with some seconds between; the wait goes on. It ends with the process of
 * sshd that we are a child of: sshd itself ends nothing when a connection breaks. */
static const char wait_function[] = "wait_for() {\n"
                                    " n=0 nap=0.1 s=0\n"
                                    " while :; do\n"
                                    "  line=\n"
                                    "  { read -r line <\"$1\"; } 2>/dev/null\n"
                                    "  case $iid in\n"
                                    "   '') [ ! -e \"$1\" ] || return 0 ;;\n"
                                    "   \"$line\") return 0 ;;\n"
                                    "  esac\n"
                                    "  n=$((n + 1))\n"
                                    "  case $n in\n"
                                    "   50) nap=0.2 ;;\n"
                                    "   200) nap=0.5 ;;\n"
                                    "   *0) r=\n"
                                    "    { read -r r </run/cima-boot-now; } 2>/dev/null\n"
                                    "    [ -z \"$r\" ] || echo \"" REMOTE_NOW "$r\"\n"
                                    "    if stuck; then s=$((s + 1)); else s=0; fi\n"
                                    "    [ $s -ne 5 ] || trouble finished ;;\n"
                                    "  esac\n"
                                    "  [ -z \"$up\" ] || [ -d $up ] || exit 1\n"
                                    "  sleep $nap </dev/null 2>/dev/null || sleep 1 </dev/null\n"
                                    " done\n"
                                    "}\n";

/* Our scripts may be done before cloud-init is. */
static const char watch_cloud_init[] =
    "n=0 f=/run/cloud-init r=\n"
    "while [ -d $f ] && [ ! -e $f/disabled ] && [ ! -e $f/result.json ] && [ $n -lt 300 ]; do\n"
    " n=$((n + 1))\n"
    " sleep 1 </dev/null\n"
    "done\n"
    "{ r=$(cat $f/result.json </dev/null); } 2>/dev/null\n"
    "case $r in '' | *'\"errors\": []'*) ;; *) trouble error ;; esac\n";

static void add_wait_for(struct sbuf *s, const char *iid)
{
    sbuf_addstr(s, "up=/proc/$PPID\n[ -d $up ] || up=\niid=");
    sbuf_add_shell_quoted(s, iid ? iid : "");
    sbuf_addch(s, '\n');
    sbuf_addstr(s, trouble_function);
    sbuf_addstr(s, stuck_function);
    sbuf_addstr(s, wait_function);
}

char *remote_login_script(const char *iid, bool plain)
{
    struct sbuf s = SBUF_INIT;

    sbuf_addstr(&s, "echo " REMOTE_LOGIN "\n");
    if (!plain) {
        add_wait_for(&s, iid);
        sbuf_addstr(&s, "wait_for /run/lima-ssh-ready\n");
    }
    sbuf_addstr(&s, "echo " REMOTE_SESSION "\nexit 0\n");
    return sbuf_detach(&s);
}

char *remote_master_script(const char *iid, bool plain)
{
    struct sbuf s = SBUF_INIT;

    sbuf_addstr(&s, "echo " REMOTE_MASTER "\n");
    if (!plain) {
        add_wait_for(&s, iid);
        /* A guest whose seed Lima has made writes no report: then the marker alone counts. */
        sbuf_addstr(&s, "wait_for /run/lima-boot-done\n"
                        "echo " REMOTE_BOOT_DONE "\n"
                        "if [ -r /run/cima-boot-report ]; then\n"
                        "    head -c 65536 /run/cima-boot-report </dev/null 2>/dev/null\n"
                        "    echo\n"
                        "fi\n"
                        "echo " REMOTE_REPORT_END "\n");
        sbuf_addstr(&s, watch_cloud_init);
    }
    sbuf_addstr(&s, "exec cat >/dev/null\n");
    return sbuf_detach(&s);
}

/* The words of the #! line. The kernel hands over everything behind the program as one argument;
 * split at blanks, `#!/usr/bin/env -S bash -e` and `#!/bin/bash -eu` both do what is meant. */
static void interpreter(const char *script, struct strv *ret)
{
    size_t len = strcspn(script, "\r\n");

    if (str_starts(script, "#!")) {
        _cleanup_free_ char *line = xstrndup(script + 2, len - 2);
        _cleanup_strv_ struct strv words = STRV_INIT;

        for (char *p = line; *p; p++)
            if (*p == '\t')
                *p = ' ';
        strv_split(&words, line, ' ');
        for (size_t i = 0; i < words.n; i++)
            if (*words.v[i])
                strv_push(ret, words.v[i]);
    }
    if (!ret->n)
        strv_push(ret, "/bin/sh");
}

char *remote_user_script(const char *script, const char *delimiter)
{
    struct sbuf s = SBUF_INIT;
    _cleanup_strv_ struct strv words = STRV_INIT;

    interpreter(script, &words);
    sbuf_addstr(&s, "f=/mnt/lima-cidata/param.env\n"
                    "p=$(cat $f 2>/dev/null || sudo -n cat $f </dev/null 2>/dev/null)\n"
                    "while IFS= read -r l; do\n"
                    "    case $l in [A-Za-z_]*=*) export \"$l\" ;; esac\n"
                    "done <<CIMA_PARAMETERS\n"
                    "$p\n"
                    "CIMA_PARAMETERS\n"
                    "unset f p l\n"
                    "exec");
    for (size_t i = 0; i < words.n; i++) {
        sbuf_addch(&s, ' ');
        sbuf_add_shell_quoted(&s, words.v[i]);
    }
    /* The interpreter reads the script from its stdin, as any interpreter can. */
    sbuf_addf(&s, " <<'%s'\n%s", delimiter, script);
    if (!str_ends(script, "\n"))
        sbuf_addch(&s, '\n');
    sbuf_addf(&s, "%s\n", delimiter);
    return sbuf_detach(&s);
}
