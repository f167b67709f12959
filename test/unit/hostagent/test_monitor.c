/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's monitor for other processes, through a whole agent; the machine is the fake one,
 * whose monitor knows: echo (answers with its arguments), fail, hang (never answers), hanging and
 * cancelled (how many were), lost (can't be asked), quit (answers, and the machine has ended). */
#include "home.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sys/clock.h"
#include "sys/sock.h"
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct home h;

static void setup(void)
{
    _cleanup_event_ struct event up = EVENT_INIT;

    home_setup(&h);
    home_start(&h, &up);
}

static void teardown(void)
{
    home_teardown(&h);
}

TestSuite(monitor, .init = setup, .fini = teardown, .timeout = 600);

static struct json *ask(const char *command, const char *args, struct err *err)
{
    _cleanup_json_ struct json *given = args ? json_parse(args, strlen(args), "args", NULL) : NULL;
    struct json *ret = NULL;

    return agent_monitor(&h.inst, command, given, LONG_MS, &ret, err) == 0 ? ret : NULL;
}

static void expect_error(const char *command, enum err_kind kind, const char *text)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_json_ struct json *ret = ask(command, NULL, &err);

    cr_assert_null(ret, "%s", command);
    _cleanup_free_ char *message = err_message(&err);
    cr_assert_eq(err.kind, kind, "%s: %s", err_kind_to_string(err.kind), message);
    cr_assert_not_null(strstr(message, text), "'%s' is not in '%s'", text, message);
}

Test(monitor, a_command_and_its_answer)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_json_ struct json *ret = ask("echo", "{\"a\":[1,\"\\u00e9\\n\"]}", &err);

    cr_assert_not_null(ret, "%s", err.msg);
    _cleanup_free_ char *text = json_dump(ret);
    cr_assert_str_eq(text, "{\"a\":[1,\"é\\n\"]}");
    _cleanup_json_ struct json *none = ask("echo", NULL, &err);
    cr_assert_eq(json_len(none), 0);
    cr_assert(json_is_object(none));
}

Test(monitor, a_refusal_is_the_machines_own)
{
    expect_error("fail", ERR_QEMU, "the fake monitor refuses");
    expect_error("lost", ERR_STATE, "the connection to the machine's monitor is lost");
    expect_error("qmp_capabilities", ERR_PERMISSION, "is not passed on");
    expect_error("", ERR_USAGE, "a request is");
}

Test(monitor, long_arguments_and_answers)
{
    _cleanup_err_ struct err err = ERR_INIT, too_long = ERR_INIT;
    _cleanup_json_ struct json *args = json_object_new(), *ret = NULL;
    _cleanup_free_ char *text = xmalloc((1U << 20) + 1);

    memset(text, 'x', 1U << 20);
    text[1U << 20] = '\0';
    json_set_str(args, "text", text);
    cr_assert_eq(agent_monitor(&h.inst, "echo", args, LONG_MS, &ret, &too_long), -1);
    cr_assert_eq(too_long.kind, ERR_USAGE, "%s", too_long.msg);
    text[1000000] = '\0';
    json_set_str(args, "text", text);
    /* The agent does not wait for long for who does not read on: once more on a busy machine. */
    int r = -1;
    for (int i = 0; i < 20 && r < 0; i++) {
        err_clear(&err);
        r = agent_monitor(&h.inst, "echo", args, LONG_MS, &ret, &err);
        cr_assert(r == 0 || strstr(err.msg, "premature end"), "%s", err.msg);
    }
    cr_assert_eq(r, 0, "%s", err.msg);
    cr_assert_str_eq(json_get_str(ret, "text"), text);
}

static int64_t count(const char *command)
{
    _cleanup_json_ struct json *ret = ask(command, NULL, NULL);

    return json_int(ret, -1);
}

/* "hanging" or "cancelled": one, in time. */
static void expect_one(const char *command)
{
    for (int64_t until = deadline_in(LONG_MS); deadline_left(until) && count(command) < 1;)
        usleep(50000);
    cr_assert_eq(count(command), 1, "%s", command);
}

/* nobody waits any more, so nobody need answer; and the agent has not waited either. */
Test(monitor, Q_06_who_leaves_is_forgotten)
{
    _cleanup_err_ struct err err = ERR_INIT;

    /* Longer than a connection may be silent otherwise; more often when the time was over before the
     * machine was asked. */
    do {
        err_clear(&err);
        cr_assert_eq(agent_monitor(&h.inst, "hang", NULL, 8000, NULL, &err), -1);
    } while (count("hanging") < 1);
    cr_assert_eq(err.kind, ERR_TIMEOUT, "%s", err.msg);
    cr_assert(strstr(err.msg, "hang: the machine of instance `"), "%s", err.msg);
    cr_assert(strstr(err.msg, "has not answered within 8 s"), "%s", err.msg);
    expect_one("cancelled");
}

Test(monitor, others_go_on_while_one_hangs)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)agent_monitor(&h.inst, "hang", NULL, -1, NULL, NULL);
        _exit(0);
    }
    expect_one("hanging");
    for (int i = 0; i < 20; i++) {
        _cleanup_err_ struct err err = ERR_INIT;
        _cleanup_json_ struct json *ret = ask("echo", "{\"a\":1}", &err);

        cr_assert_not_null(ret, "%s", err.msg);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    expect_one("cancelled");
}

/* The agent ends while somebody waits: that one is told, or sees the connection end. */
Test(monitor, the_end_of_the_agent_ends_the_wait)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct err err = ERR_INIT;

        int r = agent_monitor(&h.inst, "hang", NULL, -1, NULL, &err);
        _exit(r == -1 && err.kind != ERR_NONE ? 0 : 1);
    }
    expect_one("hanging");
    home_stop(&h);
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
}

/* The answer to what ends the machine, and the agent with it. */
Test(monitor, the_last_answer_arrives)
{
    _cleanup_err_ struct err err = ERR_INIT;
    _cleanup_json_ struct json *ret = ask("quit", "{\"a\":1}", &err);

    cr_assert_not_null(ret, "%s", err.msg);
    cr_assert_eq(json_get_int(ret, "a", 0), 1);
}

/* ---- by hand --------------------------------------------------------------------------------- */

static int request(const char *text, struct sbuf *ret)
{
    _cleanup_free_ char *path = instance_path(&h.inst, INST_HA_SOCK);
    _cleanup_close_ int fd = unix_connect(path, LONG_MS, NULL);
    int code = 0;

    cr_assert_geq(fd, 0);
    fd_set_nonblock(fd, false);
    cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
    for (ssize_t n = 1; n > 0;) {
        n = read(fd, sbuf_reserve(ret, 4096), 4096);
        if (n > 0)
            sbuf_grown(ret, (size_t)n);
    }
    return sscanf(sbuf_str(ret), "HTTP/1.%*1[01] %3d", &code) == 1 ? code : 0;
}

static void expect_code(int code, const char *text)
{
    _cleanup_sbuf_ struct sbuf answer = SBUF_INIT;
    int got = request(text, &answer);

    cr_assert_eq(got, code, "%s: %d\n%s", text, got, sbuf_str(&answer));
}

#define POST(len, body) "POST /v1/monitor HTTP/1.0\r\nContent-Length: " len "\r\n\r\n" body

Test(monitor, HA_15_requests_that_are_none)
{
    expect_code(405, "GET /v1/monitor HTTP/1.0\r\n\r\n");
    expect_code(405, "POST /v1/info HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
    expect_code(404, "GET /v1/other HTTP/1.0\r\n\r\n");
    expect_code(400, POST("0", ""));
    expect_code(400, POST("1", "{"));
    expect_code(400, POST("2", "[]"));
    expect_code(400, POST("13", "{\"execute\":1}"));
    expect_code(400, POST("34", "{\"execute\":\"echo\",\"arguments\":[1]}"));
    expect_code(200, POST("18", "{\"execute\":\"echo\"}"));
    expect_code(200, "GET /v1/info HTTP/1.0\r\n\r\n");
    expect_code(413, POST("9999999", ""));
}

Test(monitor, HA_15_screenshot)
{
    _cleanup_sbuf_ struct sbuf answer = SBUF_INIT;

    expect_code(400, "GET /v1/screenshot?format=gif HTTP/1.0\r\n\r\n");
    cr_assert_eq(request("GET /v1/screenshot?format=bmp HTTP/1.0\r\n\r\n", &answer), 200);
    cr_assert_not_null(strstr(sbuf_str(&answer), "Content-Type: image/bmp"));
    cr_assert_not_null(strstr(sbuf_str(&answer), "\r\n\r\na picture"), "%s", sbuf_str(&answer));
    /* The fake one has no screen any more then. */
    expect_code(422, "GET /v1/screenshot HTTP/1.0\r\n\r\n");
}

/* More than one request's bytes: the rest is not looked at, and harms nobody; who leaves is noticed
 * nevertheless. */
Test(monitor, Q_06_bytes_behind_a_request)
{
    _cleanup_free_ char *path = instance_path(&h.inst, INST_HA_SOCK);
    static const char text[] = "POST /v1/monitor HTTP/1.1\r\nContent-Length: 18\r\n\r\n"
                               "{\"execute\":\"hang\"}GET /v1/info HTTP/1.1\r\n\r\nGET /v1/info";
    int fd = unix_connect(path, LONG_MS, NULL);

    cr_assert_geq(fd, 0);
    cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
    cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
    expect_code(200, POST("18", "{\"execute\":\"echo\"}"));
    expect_one("hanging");
    cr_assert_eq(count("cancelled"), 0);
    close(fd);
    expect_one("cancelled");
    expect_code(200, POST("18", "{\"execute\":\"echo\"}"));
}

/* Who has said everything waits for the answer, and can leave after that, too. */
Test(monitor, Q_06_half_closed)
{
    _cleanup_free_ char *path = instance_path(&h.inst, INST_HA_SOCK);
    static const char text[] = POST("18", "{\"execute\":\"hang\"}");
    int fd = unix_connect(path, LONG_MS, NULL);

    cr_assert_geq(fd, 0);
    cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
    cr_assert_eq(shutdown(fd, SHUT_WR), 0);
    expect_one("hanging");
    cr_assert_eq(count("cancelled"), 0);
    close(fd);
    expect_one("cancelled");
}
