/* SPDX-License-Identifier: Apache-2.0 */
/* Flags that change the YAML: values as they are written, order of effect, what stays untouched. */
#include "fakes.h"
#include "base/mem.h"
#include "instance/flags.h"
#include "instance/flags_internal.h"

static enum inst_flag flag_of(const char *name)
{
    for (unsigned i = 0; i < INST_FLAG_COUNT; i++)
        if (streq(inst_flag_table[i].name, name))
            return (enum inst_flag)i;
    cr_assert_fail("there is no flag --%s", name);
    return INST_FLAG_COUNT;
}

/* "name=value" words, NULL at the end. */
static void set_flags(struct inst_flags *f, const char *const *words)
{
    for (; *words; words++) {
        _cleanup_free_ char *name = xstrndup(*words, strcspn(*words, "="));

        strv_push(&f->values[flag_of(name)], strchr(*words, '=') + 1);
    }
}

struct notes {
    struct sbuf text;
};

static void note(void *arg, enum log_level level, const char *text)
{
    struct notes *n = arg;

    sbuf_addf(&n->text, "%s: %s\n", log_level_to_string(level), text);
}

/* What the flags make of a text, or the error as a person sees it. Caller frees. */
static char *apply_to(const char *yaml, bool existing, struct notes *notes,
                      const char *const *words)
{
    _cleanup_inst_flags_ struct inst_flags f = {0};
    _cleanup_err_ struct err err = ERR_INIT;
    const struct host_facts host = {.home = (char *)"/home/u"};
    const struct inst_report report = {.note = notes ? note : NULL, .arg = notes};
    const struct inst_flags_input in = {"x.yaml", yaml, strlen(yaml), existing};
    char *text;
    size_t len;

    set_flags(&f, words);
    if (inst_flags_apply(&f, &in, &host, &report, &text, &len, &err) < 0)
        return err_text(&err);
    cr_expect_eq(strlen(text), len);
    return text;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void expect(const char *yaml, const char *const *words, const char *want)
{
    _cleanup_free_ char *got = apply_to(yaml, false, NULL, words);

    cr_expect_str_eq(got, want, "--%s over\n%swant\n%sgot\n%s", words[0], yaml, want, got);
}

static void refuse(const char *yaml, const char *const *words, const char *why)
{
    _cleanup_free_ char *got = apply_to(yaml, false, NULL, words);

    cr_expect_not_null(strstr(got, why), "--%s: %s", words[0], got);
}

/* ---- values ----------------------------------------------------------------------------------- */

Test(flags, table)
{
    for (unsigned i = 0; i < INST_FLAG_COUNT; i++) {
        const struct inst_flag_info *f = &inst_flag_table[i];

        cr_expect_not_null(f->name);
        cr_expect_eq(f->kind == FLAG_BOOL, f->metavar == NULL, "%s", f->name);
        for (unsigned k = 0; k < i; k++)
            cr_expect_str_neq(f->name, inst_flag_table[k].name);
    }
    /* What comes before --set can be overruled by it, what comes after it overrules it. */
    static const char *const before[] = {"cpus", "dns", "memory", "mount", "mount-only",
                                         "mount-none", "mount-type", "mount-writable",
                                         "mount-inotify", "vm-type", "network", "nested-virt"};
    static const char *const after[] = {"param", "video", "audio-device", "audio-interface",
                                        "ssh-port", "image-variant", "arch-variant", "arch",
                                        "containerd", "disk", "plain", "port-forward", "shell"};
    for (size_t i = 0; i < ARRAY_SIZE(before); i++)
        cr_expect_lt(flag_of(before[i]), INST_FLAG_SET, "%s", before[i]);
    for (size_t i = 0; i < ARRAY_SIZE(after); i++)
        cr_expect_gt(flag_of(after[i]), INST_FLAG_SET, "%s", after[i]);
}

static void expect_values(const char *flag, const char *const *written, const char *want)
{
    _cleanup_strv_ struct strv in = STRV_INIT, out = STRV_INIT;
    _cleanup_err_ struct err err = ERR_INIT;

    for (; *written; written++)
        strv_push(&in, *written);
    int r = flag_parse(flag_of(flag), &in, &out, &err);
    _cleanup_free_ char *got = r < 0 ? err_line(&err) : strv_join(&out, "|");
    if (r < 0 && strstr(got, want) && *want)
        return;
    cr_expect(r == 0 && streq(got, want), "--%s %s: %s", flag, in.n ? in.v[0] : "", got);
}

Test(flags, numbers)
{
    static const char *const rows[][2] = {
        {"4", "4"}, {"+4", "4"}, {"0x10", "16"}, {"0b11", "3"}, {"0o17", "15"}, {"017", "15"},
        {"0X1F", "31"}, {"1_000", "1000"}, {"0", "0"}, {"007", "7"},
        {"-2", "invalid argument \"-2\" for \"--cpus\" flag: invalid value for number of cpus, "
               "must be >= 0"},
        {"four", "invalid argument \"four\" for \"--cpus\" flag"}, {"", "not an integer"},
        {"1.5", "not an integer"}, {"1e1", "not an integer"}, {"4 ", "not an integer"},
        {"09", "not an integer"}, {"_1", "not an integer"}, {"1_", "not an integer"},
        {"99999999999", "too large"}, {"99999999999999999999", "not an integer"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        expect_values("cpus", WORDS(rows[i][0]), rows[i][1]);
    expect_values("cpus", WORDS("1", "2"), "2");
    expect_values("ssh-port", WORDS("0"), "0");
    expect_values("ssh-port", WORDS("65535"), "65535");
    expect_values("ssh-port", WORDS("70000"), "invalid argument \"70000\" for \"--ssh-port\" flag");
    expect_values("ssh-port", WORDS("-1"), "a port is");
}

Test(flags, sizes)
{
    static const char *const rows[][2] = {
        {"2.5", "2.5GiB"}, {"1e1", "10GiB"}, {"0.3", "0.3GiB"}, {"0.0037", "0.0037GiB"},
        {"7", "7GiB"}, {"0", "0GiB"}, {".5", "0.5GiB"}, {"1.10", "1.1GiB"}, {"1E2", "100GiB"},
        {"1000000", "1000000GiB"}, {"0.1", "0.1GiB"}, {"3.0", "3GiB"}, {"0.00001", "0.00001GiB"},
        {"16777216", "16777216GiB"}, {"+2", "2GiB"},
        {"-1", "must not be negative"}, {"-0", "must not be negative"}, {"nan", "not a number"},
        {"inf", "not a number"}, {"1e40", "too large"}, {"4GiB", "not a number of GiB"},
        {"0x10", "not a number"}, {"", "not a number"}, {"1 ", "not a number"}, {"e", "not a number"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        expect_values("memory", WORDS(rows[i][0]), rows[i][1]);
    expect_values("disk", WORDS("-1"), "invalid argument \"-1\" for \"--disk\" flag");
}

Test(flags, lists)
{
    expect_values("mount", WORDS("/a,/b", "/c"), "/a|/b|/c");
    expect_values("mount", WORDS("\"/a,b\",/c"), "/a,b|/c");
    expect_values("mount", WORDS("\"a\"\"b\""), "a\"b");
    expect_values("mount", WORDS("a,,b"), "a||b");
    expect_values("mount", WORDS(""), "");
    expect_values("mount", WORDS("a\"b"), "a double quote is in the wrong place");
    expect_values("mount", WORDS("\"ab"), "a double quote");
    expect_values("mount", WORDS("\"a\"b"), "a double quote");
    expect_values("set", WORDS(".a, .b", ".c"), ".a, .b|.c");
    expect_values("port-forward", WORDS("1:2,static=true"), "1:2,static=true");
    expect_values("dns", WORDS("1.1.1.1, 8.8.4.4", "2001:DB8:0::53"),
                  "1.1.1.1|8.8.4.4|2001:db8::53");
    expect_values("dns", WORDS("::ffff:1.2.3.4"), "1.2.3.4");
    expect_values("dns", WORDS("not.an.ip"), "\"not.an.ip\" for \"--dns\" flag: not an IP address");
    expect_values("dns", WORDS("1.1.1.256"), "not an IP address");
    expect_values("dns", WORDS("fe80::1%eth0"), "not an IP address");
    expect_values("dns", WORDS("1.1.1.1,"), "not an IP address");
    expect_values("dns", WORDS(""), "not an IP address");
}

/* ---- each flag -------------------------------------------------------------------------------- */

Test(flags, scalars)
{
    expect("cpus: 2 # c\n", WORDS("cpus=6"), "cpus: 6 # c\n");
    expect("a: 1\n", WORDS("cpus=6"), "a: 1\ncpus: 6\n");
    expect("cpus: 6\n", WORDS("cpus=0x6"), "cpus: 6\n");
    expect("memory: 1GiB\ndisk: 5GiB\n", WORDS("disk=7", "memory=2.5"),
           "memory: 2.5GiB\ndisk: 7GiB\n");
    expect("a: 1\n", WORDS("mount-type=9p"), "a: 1\nmountType: 9p\n");
    expect("vmType: vz\n", WORDS("vm-type=qemu"), "vmType: qemu\n");
    expect("a: 1\n", WORDS("nested-virt=true"), "a: 1\nnestedVirtualization: true\n");
    expect("video: {display: sdl, vnc: {}}\n", WORDS("video=false"),
           "video: {display: none, vnc: {}}\n");
    expect("video: {display: sdl}\n", WORDS("video=true"), "video: {display: default}\n");
    expect("ssh: {localPort: 60200,   forwardAgent: true}  # flow\n", WORDS("ssh-port=60201"),
           "ssh: {localPort: 60201,   forwardAgent: true}  # flow\n");
    expect("user:\n  name: u\n", WORDS("shell=/bin/zsh"), "user:\n  name: u\n  shell: /bin/zsh\n");
    expect("arch: aarch64\n", WORDS("arch=x86_64"), "arch: x86_64\n");
    expect("plain: false\n", WORDS("plain=true"), "plain: true\n");
    expect("audio: {device: x}\n", WORDS("audio-interface=hda", "audio-device=none"),
           "audio: {device: none, interface: hda}\n");
    refuse("user: root\n", WORDS("shell=/bin/zsh"), "field `user` must be a mapping");
    refuse("- 1\n", WORDS("cpus=1"), "expected a mapping");
    refuse("a: [\n", WORDS("cpus=1"), "x.yaml:");
}

Test(flags, containerd)
{
    expect("containerd: {user: false}\n", WORDS("containerd=user+system"),
           "containerd: {user: true, system: true}\n");
    expect("containerd: {user: true}\n", WORDS("containerd=none"),
           "containerd: {user: false, system: false}\n");
    expect("containerd: {user: true, system: true}\n", WORDS("containerd=system"),
           "containerd: {user: false, system: true}\n");
    refuse("a: 1\n", WORDS("containerd=docker"),
           "expected one of [`user`, `system`, `user+system`, `none`], got `docker`");
}

Test(flags, dns)
{
    struct notes notes = {SBUF_INIT};
    _cleanup_free_ char *got =
        apply_to("dns: [9.9.9.9, 1.1.1.1] # d\n", false, &notes, WORDS("dns=1.1.1.1,8.8.4.4"));

    cr_expect_str_eq(got, "dns: [9.9.9.9, 1.1.1.1, \"8.8.4.4\"] # d\nhostResolver:\n  enabled: false\n");
    cr_expect_str_eq(sbuf_str(&notes.text),
                     "warning: Disabling HostResolver, as custom DNS addresses (1.1.1.1, 8.8.4.4) "
                     "are specified\n");
    sbuf_release(&notes.text);
    refuse("dns: x\n", WORDS("dns=1.1.1.1"), "field `dns` must be a list");
}

Test(flags, mounts)
{
    expect("mounts:\n- location: /d1 # one\n", WORDS("mount=/d2", "mount=/d3:w"),
           "mounts:\n- location: /d3\n  mountPoint: /d3\n  writable: true\n"
           "- location: /d2\n  mountPoint: /d2\n  writable: false\n- location: /d1 # one\n");
    expect("mounts:\n- location: /d1\n", WORDS("mount-only=~/x:w"),
           "mounts:\n- location: /home/u/x\n  mountPoint: /home/u/x\n  writable: true\n");
    expect("mounts:\n- location: /d1\n", WORDS("mount-only=/d2", "mount-only=/d3"),
           "mounts:\n- location: /d2\n  mountPoint: /d2\n  writable: false\n"
           "- location: /d3\n  mountPoint: /d3\n  writable: false\n");
    expect("mounts: [{location: /d2, mountPoint: /d2, writable: false}]\n", WORDS("mount=/d2"),
           "mounts: [{location: /d2, mountPoint: /d2, writable: false}]\n");
    expect("a: 1\nmounts: [{location: /d}]\n", WORDS("mount-none=true"), "a: 1\nmounts: null\n");
    expect("mounts: [{location: /d}]\n", WORDS("mount-none=false"), "mounts: [{location: /d}]\n");
    expect("mounts:\n- location: /a\n- {location: /b, writable: false}\n", WORDS("mount-writable=true"),
           "mounts:\n- location: /a\n  writable: true\n- {location: /b, writable: true}\n");
    expect("mounts:\n- location: /a\n  writable: true\n", WORDS("mount-writable=false"),
           "mounts:\n- location: /a\n  writable: false\n");
    expect("a: 1\n", WORDS("mount-writable=true"), "a: 1\n");
    refuse("a: 1\n", WORDS("mount=~other/x"), "the home of another user");
    refuse("a: 1\n", WORDS("mount=:w"), "there is no directory in it");
    refuse("a: 1\n", WORDS("mount=/a", "mount-only=/b"), "flag `--mount` conflicts with `--mount-only`");
    refuse("a: 1\n", WORDS("mount=/a", "mount-none=true"), "flag `--mount-none` conflicts with `--mount`");
    refuse("a: 1\n", WORDS("mount-only=/a", "mount-none=true"),
           "flag `--mount-none` conflicts with `--mount-only`");
}

/* A relative directory is that of whoever typed it. */
Test(flags, relative_mount)
{
    _cleanup_free_ char *cwd = getcwd(NULL, 0), *src = path_join(cwd, "src");
    _cleanup_free_ char *want =
        xasprintf("mounts:\n- location: %s\n  mountPoint: %s\n  writable: true\n", src, src);

    expect("{}\n", WORDS("mount=./src/../src/:w", "mount-type=9p", "set=del(.mountType)"), want);
}

Test(flags, networks_and_ports)
{
    expect("networks: [{lima: user-v2, interface: keep0}]\n", WORDS("network=lima:user-v2"),
           "networks: [{lima: user-v2, interface: keep0}]\n");
    expect("networks:\n- socket: /a # s\n- socket: /b\n", WORDS("network=lima:x,vzNAT,vzNAT"),
           "networks:\n- socket: /a # s\n- socket: /b\n- lima: x\n- vzNAT: true\n");
    refuse("a: 1\n", WORDS("network=bridge0"), "network name must be `vzNAT` or `lima:*`, got \"bridge0\"");
    refuse("a: 1\n", WORDS("network=lima:"), "network name must be");
    expect("portForwards:\n- guestPort: 1000\n", WORDS("port-forward=8080:80", "port-forward=9443 : 443, static=true"),
           "portForwards:\n- guestPort: 1000\n- guestPort: 80\n  hostPort: 8080\n  static: false\n"
           "- guestPort: 443\n  hostPort: 9443\n  static: true\n");
    expect("a: 1\n", WORDS("port-forward=http:80,static=false"),
           "a: 1\nportForwards:\n- guestPort: 80\n  hostPort: http\n  static: false\n");
    expect("a: 1\n", WORDS("port-forward=81:80,static=1", "port-forward=82:80,static=F"),
           "a: 1\nportForwards:\n- guestPort: 80\n  hostPort: 81\n  static: true\n"
           "- guestPort: 80\n  hostPort: 82\n  static: false\n");
    static const char *const bad[] = {"8080", ":80", "80:", "1:2:3", "80:80,static=perhaps", "80:80,",
                                      "80:80,static", "80:80,static=true,x", "", "80:80,static=true,"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_free_ char *word = xasprintf("port-forward=%s", bad[i]);

        refuse("a: 1\n", WORDS(word), "expected HOST:GUEST or HOST:GUEST,static=true");
    }
}

Test(flags, params)
{
    static const char yaml[] = "param: {Color: red, Size: '1'} # p\n";

    expect(yaml, WORDS("param=Color=deep=blue"), "param: {Color: deep=blue, Size: '1'} # p\n");
    expect(yaml, WORDS("param=Color=a,Size=2"), "param: {Color: a, Size: '2'} # p\n");
    expect(yaml, WORDS("param=Color="), "param: {Color: \"\", Size: '1'} # p\n");
    refuse(yaml, WORDS("param=Color"), "invalid parameter `Color`, expected NAME=VALUE");
    refuse(yaml, WORDS("param==x"), "invalid parameter `=x`, expected NAME=VALUE");
    refuse(yaml, WORDS("param=Colour=blue"), "error while processing flag `param`: template does not define param `Colour`");
    refuse(yaml, WORDS("param=Colour=blue"), "did you mean `--param Color=blue`?");
    refuse("a: 1\n", WORDS("param=A=b"), "template does not define param `A`");
    /* One that --set adds is defined. */
    expect("a: 1\n", WORDS("param=A=b", "set=.param.A = \"x\""), "a: 1\nparam:\n  A: b\n");
}

Test(flags, image_variants)
{
    static const char yaml[] = "images:\n- {location: a, variant: big} # first\n"
                               "- {location: b, variant: small, archVariant: v7}\n- {location: c}\n";

    expect(yaml, WORDS("image-variant=big"), "images:\n- {location: a, variant: big} # first\n");
    expect(yaml, WORDS("arch-variant=v7"),
           "images:\n- {location: b, variant: small, archVariant: v7}\n");
    refuse(yaml, WORDS("image-variant=huge"), "no entry of `images` has the variant `huge`");
    refuse(yaml, WORDS("image-variant=huge"), "there is: big, small");
    refuse(yaml, WORDS("image-variant="), "`--image-variant` must not be empty");
    refuse(yaml, WORDS("arch-variant="), "`--arch-variant` must not be empty");
    refuse("a: 1\n", WORDS("arch-variant=x"), "no entry of `images` has the archVariant `x`");
}

/* ---- --set and the order ---------------------------------------------------------------------- */

Test(flags, set)
{
    expect("cpus: 3 # c\n", WORDS("set=.cpus = 5", "set=.env.NEW = \"v\""),
           "cpus: 5 # c\nenv:\n  NEW: v\n");
    expect("mounts:\n- location: /a # a\n- location: /b # b\n", WORDS("set=del(.mounts[0])"),
           "mounts:\n- location: /b # b\n");
    expect("a: 1 # nothing changes\n", WORDS("set=.a = 1.0"), "a: 1 # nothing changes\n");
    refuse("", WORDS("set=.a = 1"), "the file is empty");
    expect("# a comment alone\n", WORDS("set=.a = 1"), "# a comment alone\na: 1\n");
    expect("# only a comment\n", WORDS("set=."), "# only a comment\n");
    expect("a: 9007199254740993\nb: 0.1\nc: 1\n", WORDS("set=.c = 0.2"),
           "a: 9007199254740993\nb: 0.1\nc: 0.2\n");
    /* Numbers of any size stay what they are. */
    static const char large[] = "foo: 99999999999999999999\nbar: 1e400\nhex: 0x1F\nnan: .nan\n"
                                "big: 12345678901234567\nu: 1.10\nplus: +5\noct: 0o17\n";
    _cleanup_free_ char *one = xasprintf("%scpus: 3\n", large);
    _cleanup_free_ char *two = xasprintf("%sx: 99999999999999999999\n", large);
    expect(large, WORDS("cpus=3"), one);
    expect(large, WORDS("set=.x = .foo"), two);
    refuse("a: 1\n", WORDS("set=.cpus = = 4"), "error while processing flag `set`: the expression cannot be used");
    refuse("a: 1\n", WORDS("set=.cpus = = 4"), "column 9");
    refuse("a: 1\n", WORDS("set=.a = env(HOME)"), "env operations have been disabled");
    refuse("a: 1\n", WORDS("set=.a = load_str(\"/etc/hostname\")"), "file operations");
    refuse("a: 1\n", WORDS("set=.a"), "no mapping, but 1");
    refuse("a: 1\n", WORDS("set=.a = (1, 2)"), "gives 2 values instead of one");
    refuse("a: 1\n", WORDS("set=select(.a == 2)"), "gives 0 values");
    refuse("a: 1\n", WORDS("set=.a.b = 2"), "Cannot index number");
}

Test(flags, order_of_effect)
{
    /* Whatever the order of the command line: --set before the late flags, behind the early ones. */
    expect("a: 1\n", WORDS("disk=9", "set=.disk = \"5GiB\" | .cpus = 6", "cpus=3", "shell=/bin/a"),
           "a: 1\ncpus: 6\ndisk: 9GiB\nuser:\n  shell: /bin/a\n");
    /* --mount-writable sees the mounts of --mount. */
    expect("{}\n", WORDS("mount-writable=true", "mount=/a"),
           "mounts:\n- location: /a\n  mountPoint: /a\n  writable: true\n");
}

/* ---- warnings --------------------------------------------------------------------------------- */

Test(flags, of_an_existing_instance)
{
    struct notes notes = {SBUF_INIT};
    _cleanup_free_ char *got =
        apply_to("a: 1\n", true, &notes,
                 WORDS("arch=aarch64", "port-forward=1:2", "port-forward=3:4", "cpus=2", "plain=true"));

    cr_expect_str_eq(got, "a: 1\ncpus: 2\n");
    cr_expect_not_null(strstr(sbuf_str(&notes.text),
                              "warning: `--arch` is not applicable to an existing instance (Hint: "
                              "create a new instance with `cima create --arch=aarch64 --name=NAME`)\n"));
    cr_expect_not_null(strstr(sbuf_str(&notes.text), "`cima create --port-forward=1:2,3:4 --name"));
    cr_expect_not_null(strstr(sbuf_str(&notes.text), "`--plain` is not applicable"));
    sbuf_release(&notes.text);
}

Test(flags, experimental)
{
    struct notes notes = {SBUF_INIT};
    _cleanup_free_ char *got =
        apply_to("a: 1\n", false, &notes, WORDS("mount-inotify=true", "rosetta=true"));

    cr_expect_str_eq(got, "a: 1\nmountInotify: true\nvmOpts:\n  vz:\n    rosetta:\n"
                          "      enabled: true\n      binfmt: true\n");
    cr_expect_not_null(strstr(sbuf_str(&notes.text), "warning: `--mount-inotify` is experimental"));
    cr_expect_not_null(strstr(sbuf_str(&notes.text), "`--rosetta` is for macOS hosts"));
    sbuf_release(&notes.text);
}
