/* SPDX-License-Identifier: Apache-2.0 */
#include "qmp_calls.h"
#include "base/macro.h"
#include "qemu/qemu.h"

static const char *const two[] = {"fd-a", "fd-b", NULL};
static const char *const vhost[] = {"vh-a", "vh-b", NULL};
static const char *const nodes[] = {"disk0", "disk1", NULL};
static const char *const keys[] = {"ctrl", "alt", "delete", NULL};
static const char *const capabilities[] = {"auto-converge", NULL};
static const struct cima_cpu_place everywhere = {0, 1, 2, 3, 4, 5, 6, 7, 8};
static const struct cima_snapshot snapshot = {"job0", "tag0", "disk0", nodes};

/* Two of a kind of table: what is made, and the function that makes it. */
#define CALL(name, ...)                                                                            \
    static struct cima_qmp_call make_##name(void)                                                  \
    {                                                                                              \
        return __VA_ARGS__;                                                                        \
    }
CALL(scsi_disk, cima_cmd_scsi_add(&(struct cima_scsi_unit){.driver = "scsi-hd",
                                                           .id = "d0",
                                                           .bus = "scsi0.0",
                                                           .node = "disk0",
                                                           .has_target = true,
                                                           .target = 2,
                                                           .has_lun = true,
                                                           .lun = 1,
                                                           .share_rw = true}))
CALL(scsi_controller, cima_cmd_scsi_add(&(struct cima_scsi_unit){.driver = "virtio-scsi-pci",
                                                                 .id = "s0",
                                                                 .bus = "rp0",
                                                                 .addr = "0x1f.2",
                                                                 .romfile = CIMA_NO_ROM,
                                                                 .disable_modern = true,
                                                                 .iothread = "io0"}))
CALL(tap_name, cima_cmd_netdev_tap_add(&(struct cima_tap){
                   .id = "n0", .ifname = "tap0", .script = "no", .down_script = "no", .queues = 2}))
CALL(tap_fds, cima_cmd_netdev_tap_add(&(struct cima_tap){
                  .id = "n0", .fd_names = two, .vhost_fd_names = vhost}))
CALL(vhost_user_1, cima_cmd_netdev_vhost_user_add("n0", "c0", 1))
CALL(vhost_user_4, cima_cmd_netdev_vhost_user_add("n0", "c0", 4))
CALL(card, cima_cmd_card_add(&(struct cima_card){.place = {.id = "net0",
                                                           .bus = "rp0",
                                                           .addr = "10.2",
                                                           .romfile = CIMA_NO_ROM,
                                                           .disable_modern = true,
                                                           .boot_index = 2},
                                                 .netdev = "n0",
                                                 .mac = "52:54:00:12:34:56",
                                                 .queues = 2}))
CALL(card_ccw, cima_cmd_card_add(&(struct cima_card){.place = {.transport = CIMA_TRANSPORT_CCW,
                                                               .id = "net0",
                                                               .devno = "fe.1.1234",
                                                               .iommu_platform = true},
                                                     .netdev = "n0",
                                                     .mac = "52:54:00:12:34:56",
                                                     .queues = 2}))
CALL(device, cima_cmd_device_add(cima_virtio_scsi(CIMA_TRANSPORT_PCI, "s1")))
CALL(blockdev, cima_cmd_blockdev_add(cima_blockdev(&(struct cima_block){.node = "disk0",
                                                                        .format = "raw",
                                                                        .path = "/x,y",
                                                                        .read_only = true,
                                                                        .discard = true,
                                                                        .detect_zeroes = true})))
CALL(netdev, cima_cmd_netdev_add(cima_netdev_user(&(struct cima_netdev_user){
                 .id = "n0", .net = "10.0.2.0/24", .dhcp_start = "10.0.2.9"})))
CALL(chardev, cima_cmd_chardev_add(cima_chardev_unix("c0", "/s")))
CALL(object, cima_cmd_object_add(cima_memory_memfd("m0", 1 << 20)))
CALL(cpu_x86, cima_cmd_cpu_add("qemu64-x86_64-cpu", "cpu1", &everywhere))
CALL(cpu_s390x, cima_cmd_cpu_add("host-s390x-cpu", "cpu1", &everywhere))
CALL(cpu_ppc, cima_cmd_cpu_add("power9_v2.0-spapr-cpu-core", "cpu1", &everywhere))
CALL(cpu_arm, cima_cmd_cpu_add("cortex-a72-arm-cpu", "cpu1", &everywhere))
CALL(device_del, cima_cmd_device_del("d0"))
CALL(blockdev_del, cima_cmd_blockdev_del("disk0"))
CALL(netdev_del, cima_cmd_netdev_del("n0"))
CALL(chardev_remove, cima_cmd_chardev_remove("c0"))
CALL(object_del, cima_cmd_object_del("m0"))
CALL(getfd, cima_cmd_getfd("fd-a", 0))
CALL(closefd, cima_cmd_closefd("fd-a"))
CALL(add_fd, cima_cmd_add_fd(3, 0, "mine"))
CALL(add_fd_new, cima_cmd_add_fd(-1, 0, NULL))
CALL(remove_fd, cima_cmd_remove_fd(3, 17))
CALL(balloon, cima_cmd_balloon(UINT64_C(5) << 30))
CALL(qom_get, cima_cmd_qom_get("/machine", "type"))
CALL(qom_set, cima_cmd_qom_set("/machine", "x", json_bool_new(true)))
CALL(qom_list, cima_cmd_qom_list("/machine"))
CALL(dump,
     cima_cmd_dump_guest_memory(&(struct cima_guest_dump){"file:/core", false, true, "kdump-zlib"}))
CALL(migrate, cima_cmd_migrate("unix:/s"))
CALL(migrate_incoming, cima_cmd_migrate_incoming("unix:/s"))
CALL(migrate_caps, cima_cmd_migrate_set_capabilities(capabilities, true))
CALL(snapshot_save, cima_cmd_snapshot_save(&snapshot))
CALL(snapshot_load, cima_cmd_snapshot_load(&snapshot))
CALL(snapshot_delete, cima_cmd_snapshot_delete(&snapshot))
CALL(job_cancel, cima_cmd_job_cancel("job0"))
CALL(job_dismiss, cima_cmd_job_dismiss("job0"))
CALL(screendump, cima_cmd_screendump("/s.png", "png", "vga0", 1))
CALL(send_key, cima_cmd_send_key(keys, 250))
CALL(change_vnc_password, cima_cmd_change_vnc_password("geheim"))
CALL(set_password, cima_cmd_set_password("vnc", "geheim", "keep"))
CALL(expire_password, cima_cmd_expire_password("vnc", "+60"))

#define QUERY(name, text)                                                                          \
    {                                                                                              \
        "query_" #name, text, NULL, cima_cmd_query_##name                                          \
    }
#define PLAIN(name, text)                                                                          \
    {                                                                                              \
#name, text, NULL, cima_cmd_##name                                                         \
    }
const struct known_call known_calls[] = {
    PLAIN(stop, "stop"),
    PLAIN(cont, "cont"),
    PLAIN(system_reset, "system_reset"),
    PLAIN(system_powerdown, "system_powerdown"),
    PLAIN(quit, "quit"),
    PLAIN(migrate_cancel, "migrate_cancel"),
    QUERY(status, "query-status"),
    QUERY(cpus_fast, "query-cpus-fast"),
    QUERY(hotpluggable_cpus, "query-hotpluggable-cpus"),
    QUERY(memory_devices, "query-memory-devices"),
    QUERY(balloon, "query-balloon"),
    QUERY(migrate, "query-migrate"),
    QUERY(jobs, "query-jobs"),
    QUERY(vnc, "query-vnc"),
    QUERY(qmp_schema, "query-qmp-schema"),
    {"scsi_add", "device_add",
     "{'driver': 'scsi-hd', 'id': 'd0', 'bus': 'scsi0.0', 'drive': 'disk0', 'scsi-id': 2, "
     "'lun': 1, 'share-rw': true}",
     make_scsi_disk},
    {"scsi_add", "device_add",
     "{'driver': 'virtio-scsi-pci', 'id': 's0', 'bus': 'rp0', 'addr': '0x1f.2', 'iothread': 'io0', "
     "'romfile': '', 'disable-modern': true}",
     make_scsi_controller},
    {"netdev_tap_add", "netdev_add",
     "{'type': 'tap', 'id': 'n0', 'ifname': 'tap0', 'script': 'no', 'downscript': 'no', "
     "'queues': 2}",
     make_tap_name},
    {"netdev_tap_add", "netdev_add",
     "{'type': 'tap', 'id': 'n0', 'fds': 'fd-a:fd-b', 'vhost': true, 'vhostfds': 'vh-a:vh-b'}",
     make_tap_fds},
    {"netdev_vhost_user_add", "netdev_add", "{'type': 'vhost-user', 'id': 'n0', 'chardev': 'c0'}",
     make_vhost_user_1},
    {"netdev_vhost_user_add", "netdev_add",
     "{'type': 'vhost-user', 'id': 'n0', 'chardev': 'c0', 'queues': 4}", make_vhost_user_4},
    {"card_add", "device_add",
     "{'driver': 'virtio-net-pci', 'netdev': 'n0', 'mac': '52:54:00:12:34:56', 'id': 'net0', "
     "'bus': 'rp0', 'addr': 'a.2', 'romfile': '', 'disable-modern': true, 'bootindex': 2, "
     "'mq': true, 'vectors': 6}",
     make_card},
    {"card_add", "device_add",
     "{'driver': 'virtio-net-ccw', 'netdev': 'n0', 'mac': '52:54:00:12:34:56', 'id': 'net0', "
     "'devno': 'fe.1.1234', 'iommu_platform': true, 'mq': true}",
     make_card_ccw},
    {"device_add", "device_add", "{'driver': 'virtio-scsi-pci', 'id': 's1'}", make_device},
    {"blockdev_add", "blockdev-add",
     "{'driver': 'raw', 'node-name': 'disk0', 'read-only': true, 'discard': 'unmap', "
     "'detect-zeroes': 'unmap', 'file': {'driver': 'file', 'filename': '/x,y', "
     "'read-only': true, 'discard': 'unmap'}}",
     make_blockdev},
    {"netdev_add", "netdev_add",
     "{'type': 'user', 'id': 'n0', 'net': '10.0.2.0/24', 'dhcpstart': '10.0.2.9'}", make_netdev},
    {"chardev_add", "chardev-add",
     "{'id': 'c0', 'backend': {'type': 'socket', 'data': {'addr': {'type': 'unix', "
     "'data': {'path': '/s'}}, 'server': false}}}",
     make_chardev},
    {"object_add", "object-add",
     "{'qom-type': 'memory-backend-memfd', 'id': 'm0', 'size': 1048576, 'share': true}",
     make_object},
    {"cpu_add", "device_add",
     "{'driver': 'qemu64-x86_64-cpu', 'id': 'cpu1', 'node-id': 0, 'socket-id': 3, 'die-id': 4, "
     "'module-id': 6, 'core-id': 7, 'thread-id': 8}",
     make_cpu_x86},
    {"cpu_add", "device_add",
     "{'driver': 'host-s390x-cpu', 'id': 'cpu1', 'node-id': 0, 'drawer-id': 1, 'book-id': 2, "
     "'core-id': 7}",
     make_cpu_s390x},
    {"cpu_add", "device_add",
     "{'driver': 'power9_v2.0-spapr-cpu-core', 'id': 'cpu1', 'node-id': 0, 'core-id': 7}",
     make_cpu_ppc},
    {"cpu_add", "device_add",
     "{'driver': 'cortex-a72-arm-cpu', 'id': 'cpu1', 'node-id': 0, 'socket-id': 3, "
     "'cluster-id': 5, 'core-id': 7, 'thread-id': 8}",
     make_cpu_arm},
    {"device_del", "device_del", "{'id': 'd0'}", make_device_del},
    {"blockdev_del", "blockdev-del", "{'node-name': 'disk0'}", make_blockdev_del},
    {"netdev_del", "netdev_del", "{'id': 'n0'}", make_netdev_del},
    {"chardev_remove", "chardev-remove", "{'id': 'c0'}", make_chardev_remove},
    {"object_del", "object-del", "{'id': 'm0'}", make_object_del},
    {"getfd", "getfd", "{'fdname': 'fd-a'}", make_getfd},
    {"closefd", "closefd", "{'fdname': 'fd-a'}", make_closefd},
    {"add_fd", "add-fd", "{'opaque': 'mine', 'fdset-id': 3}", make_add_fd},
    {"add_fd", "add-fd", "{}", make_add_fd_new},
    {"remove_fd", "remove-fd", "{'fdset-id': 3, 'fd': 17}", make_remove_fd},
    {"balloon", "balloon", "{'value': 5368709120}", make_balloon},
    {"qom_get", "qom-get", "{'path': '/machine', 'property': 'type'}", make_qom_get},
    {"qom_set", "qom-set", "{'path': '/machine', 'property': 'x', 'value': true}", make_qom_set},
    {"qom_list", "qom-list", "{'path': '/machine'}", make_qom_list},
    {"dump_guest_memory", "dump-guest-memory",
     "{'protocol': 'file:/core', 'paging': false, 'detach': true, 'format': 'kdump-zlib'}",
     make_dump},
    {"migrate", "migrate", "{'uri': 'unix:/s'}", make_migrate},
    {"migrate_incoming", "migrate-incoming", "{'uri': 'unix:/s'}", make_migrate_incoming},
    {"migrate_set_capabilities", "migrate-set-capabilities",
     "{'capabilities': [{'capability': 'auto-converge', 'state': true}]}", make_migrate_caps},
    {"snapshot_save", "snapshot-save",
     "{'job-id': 'job0', 'tag': 'tag0', 'vmstate': 'disk0', 'devices': ['disk0', 'disk1']}",
     make_snapshot_save},
    {"snapshot_load", "snapshot-load",
     "{'job-id': 'job0', 'tag': 'tag0', 'vmstate': 'disk0', 'devices': ['disk0', 'disk1']}",
     make_snapshot_load},
    {"snapshot_delete", "snapshot-delete",
     "{'job-id': 'job0', 'tag': 'tag0', 'devices': ['disk0', 'disk1']}", make_snapshot_delete},
    {"job_cancel", "job-cancel", "{'id': 'job0'}", make_job_cancel},
    {"job_dismiss", "job-dismiss", "{'id': 'job0'}", make_job_dismiss},
    {"screendump", "screendump",
     "{'filename': '/s.png', 'format': 'png', 'device': 'vga0', 'head': 1}", make_screendump},
    {"send_key", "send-key",
     "{'keys': [{'type': 'qcode', 'data': 'ctrl'}, {'type': 'qcode', 'data': 'alt'}, "
     "{'type': 'qcode', 'data': 'delete'}], 'hold-time': 250}",
     make_send_key},
    {"change_vnc_password", "change-vnc-password", "{'password': 'geheim'}",
     make_change_vnc_password},
    {"set_password", "set_password",
     "{'protocol': 'vnc', 'password': 'geheim', 'connected': 'keep'}", make_set_password},
    {"expire_password", "expire_password", "{'protocol': 'vnc', 'time': '+60'}",
     make_expire_password},
};
const size_t n_known_calls = ARRAY_SIZE(known_calls);
