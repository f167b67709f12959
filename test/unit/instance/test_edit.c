/* SPDX-License-Identifier: Apache-2.0 */
/* edit, protect, factory reset, and the disk that a start makes. */
#include "fakes.h"
#include "base/fs.h"
#include "base/mem.h"

static void put(const struct instance *i, const char *name, const char *text)
{
    _cleanup_free_ char *path = path_join(i->dir, name);

    cr_assert_eq(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
}

static bool has(const struct instance *i, const char *name)
{
    _cleanup_free_ char *path = path_join(i->dir, name);

    return path_exists(path);
}

static void expect_err(struct err *err, enum err_kind kind, const char *text)
{
    _cleanup_free_ char *all = err_text(err);

    cr_expect_eq(err->kind, kind, "%s", all);
    cr_expect_not_null(strstr(all, text), "%s", all);
    err_clear(err);
}

static int check(struct world *w, const struct inst_edit *e, const char *text, struct err *err)
{
    const struct config_layer layer = {"new.yaml", text, strlen(text), NULL};

    sbuf_clear(&w->warnings);
    return inst_edit_check(&w->env, e, &layer, &w->report, err);
}

Test(edit, checks)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_inst_edit_ struct inst_edit e = INST_EDIT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    cr_assert_eq(inst_edit_begin(&inst, &e, &err), 0);
    cr_expect_str_eq(e.name, "one");
    cr_expect_eq(check(&w, &e, SIMPLE_YAML "cpus: 3\n", &err), 0);
    cr_expect_eq(check(&w, &e, SIMPLE_YAML "cpus: many\nmemory: lots\n", &err), -1);
    cr_expect_eq(diags_count(&err.diags, DIAG_ERROR), 2);
    expect_err(&err, ERR_CONFIG, "new.yaml:4:7");
    cr_expect_eq(check(&w, &e, "", &err), -1);
    expect_err(&err, ERR_CONFIG, "empty");
    fakes.disk_bytes = UINT64_C(50) << 30;
    cr_expect_eq(check(&w, &e, SIMPLE_YAML "disk: 20GiB\n", &err), -1);
    expect_err(&err, ERR_CONFIG, "new.yaml:4:7: error: disk shrinking");
    /* … and what the YAML has promised until now. */
    cr_expect_eq(check(&w, &e, SIMPLE_YAML "disk: 60GiB\n", &err), -1);
    expect_err(&err, ERR_CONFIG, "field `disk` says 60GiB, it was 100GiB: disk shrinking");
    cr_expect_eq(check(&w, &e, SIMPLE_YAML "disk: 160GiB\n", &err), 0);
}

Test(edit, what_has_no_effect)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_inst_edit_ struct inst_edit e = INST_EDIT_INIT;
    static const char other[] = "images:\n- location: /other.img\n  arch: x86_64\nuser: {name: "
                                "somebody}\n";

    world_init(&w);
    world_create(&w, "one", &inst);
    cr_assert_eq(inst_edit_begin(&inst, &e, NULL), 0);
    cr_assert_eq(check(&w, &e, other, NULL), 0);
    cr_expect_not_null(strstr(sbuf_str(&w.warnings), "other images have no effect"));
    cr_expect_not_null(strstr(sbuf_str(&w.warnings), "`somebody` is made beside"));
    /* Without a disk nothing is settled. */
    cr_assert_eq(inst_factory_reset(&inst, &w.report, NULL), 0);
    cr_assert_eq(check(&w, &e, other, NULL), 0);
    cr_expect_str_eq(sbuf_str(&w.warnings), "");
}

Test(edit, commits)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_inst_edit_ struct inst_edit e = INST_EDIT_INIT, later = INST_EDIT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    cr_assert_eq(inst_edit_begin(&inst, &e, &err), 0);
    /* Somebody works on it. */
    pid_t command = live_command(&inst);
    cr_expect_eq(inst_edit_commit(&e, "x", 1, &err), -1);
    expect_err(&err, ERR_BUSY, "instance `one` is busy");
    end_process(command);
    /* It runs by now. */
    pid_t machine = live_machine(&inst);
    cr_expect_eq(inst_edit_commit(&e, "x", 1, &err), -1);
    expect_err(&err, ERR_STATE, "cannot edit a running instance");
    cr_expect_eq(inst_edit_begin(&inst, &later, &err), -1);
    expect_err(&err, ERR_STATE, "cima stop one");
    end_process(machine);
    cr_expect_eq(inst_edit_commit(&e, "a: 1\r\nb", 7, &err), 0);
    _cleanup_free_ char *text = file_read(e.path, 100, NULL, NULL);
    cr_expect_str_eq(text, "a: 1\r\nb");
    /* The file is not what it was when the edit began. */
    cr_expect_eq(inst_edit_commit(&e, "mine", 4, &err), -1);
    expect_err(&err, ERR_BUSY, "was changed by somebody else in the meantime");
    cr_assert_eq(unlink(e.path), 0);
    cr_expect_eq(inst_edit_commit(&e, "mine", 4, &err), -1);
    expect_err(&err, ERR_BUSY, "was removed by somebody else");
    cr_expect_not(path_exists(e.path));
}

Test(edit, file)
{
    _cleanup_world_ struct world w;
    _cleanup_inst_edit_ struct inst_edit e = INST_EDIT_INIT, missing = INST_EDIT_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    struct stat st;

    world_init(&w);
    _cleanup_free_ char *path = path_join(w.dir, "x.yaml"), *link = path_join(w.dir, "link.yaml");
    cr_assert_eq(file_write_atomic(path, "cpus: 2\n", 8, 0640, NULL), 0);
    cr_assert_eq(symlink("x.yaml", link), 0);
    cr_assert_eq(inst_edit_begin_file(link, &e, &err), 0);
    cr_expect_null(e.inst.name);
    cr_expect_eq(check(&w, &e, SIMPLE_YAML, &err), 0);
    cr_expect_eq(inst_edit_commit(&e, "cpus: 3\n", 8, &err), 0);
    cr_assert_eq(lstat(link, &st), 0);
    cr_expect(S_ISLNK(st.st_mode));
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0640u);
    cr_expect_eq(inst_edit_begin_file("/nonexistent/x.yaml", &missing, &err), -1);
    expect_err(&err, ERR_NOT_FOUND, "/nonexistent/x.yaml");
}

Test(protect, refuses)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;
    bool changed;

    world_init(&w);
    world_create(&w, "one", &inst);
    cr_assert_eq(inst_protect(&inst, &changed, &err), 0);
    cr_expect(changed);
    cr_assert_eq(inst_protect(&inst, &changed, &err), 0);
    cr_expect_not(changed);
    cr_expect_eq(inst_delete(&w.env, &inst, true, &w.report, &err), -1);
    expect_err(&err, ERR_STATE, "accidental removal");
    cr_expect_eq(inst_factory_reset(&inst, &w.report, &err), -1);
    expect_err(&err, ERR_STATE, "accidental factory-reset");
    cr_expect(has(&inst, "disk"));
    cr_assert_eq(inst_unprotect(&inst, &changed, &err), 0);
    cr_expect(changed);
    cr_assert_eq(inst_unprotect(&inst, &changed, &err), 0);
    cr_expect_not(changed);
    cr_expect_eq(inst_factory_reset(&inst, &w.report, &err), 0);
}

Test(factory_reset, keeps_the_yaml)
{
    static const char *const kept[] = {"lima.yaml", "lima-version",      "cima-version",
                                       "op.lock",   "cloud-config.yaml", "notes.yml",
                                       "x.lock"};
    static const char *const gone[] = {"disk",  "image",         "cima.json", "serial.log",
                                       "swtpm", "lima.yaml.bak", ".hidden",   "cima-reset"};
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    for (size_t k = 4; k < ARRAY_SIZE(kept); k++)
        put(&inst, kept[k], "x");
    put(&inst, "serial.log", "x");
    put(&inst, "lima.yaml.bak", "x");
    put(&inst, ".hidden", "x");
    _cleanup_free_ char *deep = path_join(inst.dir, "swtpm/a/b");
    cr_assert_eq(dir_make(deep, 0700, NULL), 0);
    pid_t machine = live_machine(&inst);
    cr_assert_eq(inst_factory_reset(&inst, &w.report, &err), 0, "%s", err.msg);
    cr_expect_not(is_alive(machine));
    for (size_t k = 0; k < ARRAY_SIZE(kept); k++)
        cr_expect(has(&inst, kept[k]), "%s", kept[k]);
    for (size_t k = 0; k < ARRAY_SIZE(gone); k++)
        cr_expect_not(has(&inst, gone[k]), "%s", gone[k]);
}

static int start(struct world *w, const struct instance *i, struct err *err)
{
    sbuf_clear(&w->notes);
    return inst_start_prepare(&w->env, i, &w->report, err);
}

/* Killed at any point in the middle: the next start ends the reset, and the YAML is there. */
Test(factory_reset, killed_in_the_middle)
{
    static const char *const removed[] = {NULL, "disk", "image", "cima.json"};
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    for (size_t k = 0; k < ARRAY_SIZE(removed); k++) {
        put(&inst, "cima-reset", "");
        put(&inst, "qemu-efi-vars.fd", "old");
        if (removed[k]) {
            _cleanup_free_ char *path = path_join(inst.dir, removed[k]);

            unlink(path);
        }
        cr_assert_eq(start(&w, &inst, &err), 0, "%s", err.msg);
        cr_expect_not_null(strstr(sbuf_str(&w.notes), "Finishing the factory reset"));
        cr_expect_not(has(&inst, "cima-reset"));
        cr_expect_not(has(&inst, "qemu-efi-vars.fd"));
        cr_expect(has(&inst, "disk") && has(&inst, "image") && has(&inst, "lima.yaml"));
    }
}

Test(start, makes_a_missing_disk)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    _cleanup_free_ char *disk = instance_path(&inst, INST_DISK);
    _cleanup_free_ char *image = instance_path(&inst, INST_IMAGE);
    cr_assert_eq(start(&w, &inst, &err), 0);
    cr_expect_eq(fakes.prepared, 1u, "a disk that is there is left alone");
    /* Its image is there. */
    cr_assert_eq(unlink(disk), 0);
    cr_assert_eq(start(&w, &inst, &err), 0, "%s", err.msg);
    cr_expect_eq(fakes.prepared, 1u);
    cr_expect(path_exists(disk));
    cr_expect_not_null(strstr(sbuf_str(&w.notes), "warning: The disk of `one` is gone"));
    /* Its image is no image. */
    cr_assert_eq(unlink(disk), 0);
    fakes.adopt_error = "is damaged";
    cr_assert_eq(start(&w, &inst, &err), 0);
    cr_expect_eq(fakes.prepared, 2u);
    cr_expect_not_null(strstr(sbuf_str(&w.notes), "is damaged; getting the image anew"));
    /* Neither, and none to be had. */
    cr_assert_eq(unlink(disk) | unlink(image), 0);
    fakes.image_error = "no such image";
    cr_expect_eq(start(&w, &inst, &err), -1);
    expect_err(&err, ERR_NOT_FOUND, "cannot make the disk of instance `one`: no such image");
    fakes.image_error = NULL;
    fakes.disk_error = "the file system is full";
    cr_expect_eq(start(&w, &inst, &err), -1);
    expect_err(&err, ERR_IO, "cannot make the disk of instance `one`: the file system is full");
    cr_expect_not(path_exists(disk));
    fakes.disk_error = NULL;
    cr_expect_eq(start(&w, &inst, &err), 0);
    /* The disk of an older Lima is never replaced. */
    cr_assert_eq(rename(disk, image), 0);
    put(&inst, "diffdisk", "somebody's data");
    cr_expect_eq(start(&w, &inst, &err), 0);
    cr_expect_not(path_exists(disk));
}

/* Warnings of the configuration are told once, by whoever comes first. */
Test(start, config_warnings_once)
{
    _cleanup_world_ struct world w;
    _cleanup_instance_ struct instance inst = INSTANCE_INIT;

    world_init(&w);
    world_create(&w, "one", &inst);
    put(&inst, "lima.yaml", SIMPLE_YAML "cpuz: 2\n");
    cr_assert_eq(start(&w, &inst, NULL), 0);
    cr_expect_not_null(strstr(sbuf_str(&w.warnings), "cpuz"));
    sbuf_clear(&w.warnings);
    w.report.config_told = true;
    fakes.plan_note = "of the plan";
    cr_assert_eq(start(&w, &inst, NULL), 0);
    cr_expect_str_eq(sbuf_str(&w.warnings), "of the plan\n");
}
