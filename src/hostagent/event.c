/* SPDX-License-Identifier: Apache-2.0 */
#include "hostagent/event.h"
#include "base/mem.h"
#include "json/json.h"
#include <time.h>

/* A guest or a broken agent may not fill a reader's memory with texts. */
#define ERRORS_MAX 64

void event_forward_release(struct event_forward *f)
{
    free(f->type);
    free(f->protocol);
    free(f->guest_addr);
    free(f->host_addr);
    free(f->error);
    *f = (struct event_forward){0};
}

void event_release(struct event *e)
{
    free(e->waiting);
    strv_release(&e->errors);
    event_forward_release(&e->forward);
    if (e->error) {
        err_clear(e->error);
        free(e->error);
    }
    *e = (struct event)EVENT_INIT;
}

void event_time_now(char ret[40])
{
    struct timespec now;
    struct tm tm;
    char date[24] = "1970-01-01T00:00:00";

    clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &tm))
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret, 40, "%s.%09ldZ", date, now.tv_nsec);
}

static void set_forward(struct json *status, const struct event_forward *f)
{
    struct json *j = json_object_new();

    json_set_str(j, "type", f->type);
    if (f->protocol)
        json_set_str(j, "protocol", f->protocol);
    if (f->guest_addr)
        json_set_str(j, "guestAddr", f->guest_addr);
    if (f->host_addr)
        json_set_str(j, "hostAddr", f->host_addr);
    if (f->error)
        json_set_str(j, "error", f->error);
    json_set(status, "portForward", j);
}

char *event_to_json(const struct event *e)
{
    _cleanup_json_ struct json *j = json_object_new();
    struct json *status = json_object_new();
    char now[40];

    event_time_now(now);
    json_set_str(j, "time", *e->time ? e->time : now);
    if (e->running)
        json_set_bool(status, "running", true);
    if (e->degraded)
        json_set_bool(status, "degraded", true);
    if (e->exiting)
        json_set_bool(status, "exiting", true);
    if (e->errors.n)
        json_set(status, "errors", json_strings(&e->errors));
    if (e->ssh_local_port)
        json_set_int(status, "sshLocalPort", e->ssh_local_port);
    if (e->forward.type)
        set_forward(status, &e->forward);
    json_set_str(status, "stage", stage_to_string(e->stage));
    json_set_str(status, "waitingFor", e->waiting);
    if (e->error)
        json_set(status, "error", err_to_json(e->error));
    json_set(j, "status", status);
    return json_dump(j);
}

static void read_errors(const struct json *list, struct strv *ret)
{
    size_t n = json_is_array(list) ? json_len(list) : 0;

    for (size_t i = 0; i < n && i < ERRORS_MAX; i++) {
        const char *text = json_str(json_at(list, i));

        if (text)
            strv_push(ret, text);
    }
}

static void read_forward(const struct json *j, struct event_forward *ret)
{
    if (!json_is_object(j) || !json_get_str(j, "type"))
        return;
    *ret = (struct event_forward){
        .type = xstrdup(json_get_str(j, "type")),
        .protocol = xstrdup0(json_get_str(j, "protocol")),
        .guest_addr = xstrdup0(json_get_str(j, "guestAddr")),
        .host_addr = xstrdup0(json_get_str(j, "hostAddr")),
        .error = xstrdup0(json_get_str(j, "error")),
    };
}

int event_parse(const char *line, size_t len, struct event *ret, struct err *err)
{
    struct event e = EVENT_INIT;

    if (len > EVENT_LINE_MAX)
        return err_set(err, ERR_PROTOCOL, "an event line of the host agent is too long");
    _cleanup_json_ struct json *j = json_parse(line, len, "event", err);
    if (!j)
        return -1;
    const struct json *status = json_get(j, "status");
    if (!json_is_object(status))
        return err_set(err, ERR_PROTOCOL, "an event line of the host agent has no status");

    const char *time = json_get_str(j, "time");
    if (time)
        snprintf(e.time, sizeof(e.time), "%s", time);
    e.running = json_get_bool(status, "running", false);
    e.degraded = json_get_bool(status, "degraded", false);
    e.exiting = json_get_bool(status, "exiting", false);
    int64_t port = json_get_int(status, "sshLocalPort", 0);
    if (port > 0 && port <= UINT16_MAX)
        e.ssh_local_port = (uint16_t)port;
    read_errors(json_get(status, "errors"), &e.errors);
    read_forward(json_get(status, "portForward"), &e.forward);

    e.waiting = xstrdup0(json_get_str(status, "waitingFor"));
    const char *stage = json_get_str(status, "stage");
    if (!stage || stage_from_string(stage, &e.stage))
        e.stage = e.running ? STAGE_RUNNING : e.exiting ? STAGE_GONE : STAGE_CREATED;
    const struct json *error = json_get(status, "error");
    if (json_is_object(error)) {
        e.error = xcalloc(1, sizeof(*e.error));
        if (err_from_json(error, e.error)) {
            err_clear(e.error);
            free(e.error);
            e.error = NULL;
        }
    }
    *ret = e;
    return 0;
}
