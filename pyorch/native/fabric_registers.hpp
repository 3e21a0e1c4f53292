// Written by `python -m firmware.register_map` from firmware/registers.toml.
#pragma once

#include <cstdint>

namespace pyorch::fabric_registers {

inline constexpr std::uint32_t identity_value = 0x50594f52;
inline constexpr std::uint32_t version_value = 2;
inline constexpr std::uint32_t identity = 0x000;
inline constexpr std::uint32_t version = 0x004;
inline constexpr std::uint32_t format_digest_0 = 0x008;
inline constexpr std::uint32_t format_digest_1 = 0x00c;
inline constexpr std::uint32_t shape = 0x010;
inline constexpr std::uint32_t shape_features_mask = 0x0000ffff;
inline constexpr std::uint32_t shape_outputs_mask = 0xffff0000;
inline constexpr std::uint32_t serving = 0x014;
inline constexpr std::uint32_t serving_window_mask = 0x0000ffff;
inline constexpr std::uint32_t serving_windowed_mask = 0x00010000;
inline constexpr std::uint32_t serving_loadable_mask = 0x00020000;
inline constexpr std::uint32_t serving_layers_mask = 0x0f000000;
inline constexpr std::uint32_t image_words = 0x018;
inline constexpr std::uint32_t lanes = 0x01c;
inline constexpr std::uint32_t lanes_input_bits_mask = 0x000000ff;
inline constexpr std::uint32_t lanes_output_bits_mask = 0x0000ff00;
inline constexpr std::uint32_t lanes_vector_beats_mask = 0x00ff0000;
inline constexpr std::uint32_t lanes_answer_beats_mask = 0xff000000;
inline constexpr std::uint32_t control = 0x020;
inline constexpr std::uint32_t control_enable_mask = 0x00000001;
inline constexpr std::uint32_t control_hold_mask = 0x00000002;
inline constexpr std::uint32_t command = 0x024;
inline constexpr std::uint32_t command_reset_mask = 0x00000001;
inline constexpr std::uint32_t command_clear_mask = 0x00000002;
inline constexpr std::uint32_t command_swap_keep_mask = 0x00000004;
inline constexpr std::uint32_t command_swap_clear_mask = 0x00000008;
inline constexpr std::uint32_t command_swap_load_mask = 0x00000010;
inline constexpr std::uint32_t command_load_mask = 0x00000020;
inline constexpr std::uint32_t status = 0x028;
inline constexpr std::uint32_t status_idle_mask = 0x00000001;
inline constexpr std::uint32_t status_drained_mask = 0x00000002;
inline constexpr std::uint32_t status_pending_mask = 0x00000004;
inline constexpr std::uint32_t status_active_set_mask = 0x00000008;
inline constexpr std::uint32_t status_set_0_valid_mask = 0x00000010;
inline constexpr std::uint32_t status_set_1_valid_mask = 0x00000020;
inline constexpr std::uint32_t status_mailbox_busy_mask = 0x00000040;
inline constexpr std::uint32_t status_owner_mask = 0x00000300;
inline constexpr std::uint32_t errors = 0x02c;
inline constexpr std::uint32_t errors_frame_mask = 0x00000001;
inline constexpr std::uint32_t errors_load_mask = 0x00000002;
inline constexpr std::uint32_t errors_swap_mask = 0x00000004;
inline constexpr std::uint32_t errors_access_mask = 0x00000008;
inline constexpr std::uint32_t errors_doorbell_mask = 0x00000010;
inline constexpr std::uint32_t owner = 0x030;
inline constexpr std::uint32_t steps = 0x040;
inline constexpr std::uint32_t cycles_last = 0x044;
inline constexpr std::uint32_t cycles_min = 0x048;
inline constexpr std::uint32_t cycles_max = 0x04c;
inline constexpr std::uint32_t bad_frames = 0x050;
inline constexpr std::uint32_t stalls = 0x054;
inline constexpr std::uint32_t swaps = 0x058;
inline constexpr std::uint32_t refused_doorbells = 0x05c;
inline constexpr std::uint32_t pause_last = 0x060;
inline constexpr std::uint32_t load_address = 0x080;
inline constexpr std::uint32_t load_address_lane_mask = 0x000000ff;
inline constexpr std::uint32_t load_address_word_mask = 0x00ffff00;
inline constexpr std::uint32_t load_address_memory_mask = 0xff000000;
inline constexpr std::uint32_t load_data = 0x084;
inline constexpr std::uint32_t load_count = 0x088;
inline constexpr std::uint32_t load_crc = 0x08c;
inline constexpr std::uint32_t load_format_0 = 0x090;
inline constexpr std::uint32_t load_format_1 = 0x094;
inline constexpr std::uint32_t load_model_0 = 0x098;
inline constexpr std::uint32_t load_model_1 = 0x09c;
inline constexpr std::uint32_t load_start = 0x0a0;
inline constexpr std::uint32_t load_commit = 0x0a4;
inline constexpr std::uint32_t set_0_model_0 = 0x0b0;
inline constexpr std::uint32_t set_0_model_1 = 0x0b4;
inline constexpr std::uint32_t set_1_model_0 = 0x0b8;
inline constexpr std::uint32_t set_1_model_1 = 0x0bc;
inline constexpr std::uint32_t state_address = 0x0c0;
inline constexpr std::uint32_t state_address_unit_mask = 0x00000fff;
inline constexpr std::uint32_t state_address_slot_mask = 0x0ffff000;
inline constexpr std::uint32_t state_address_layer_mask = 0x30000000;
inline constexpr std::uint32_t state_address_cell_mask = 0x40000000;
inline constexpr std::uint32_t state_data = 0x0c4;
inline constexpr std::uint32_t window_fill = 0x0c8;
inline constexpr std::uint32_t window_fill_vectors_mask = 0x0000ffff;
inline constexpr std::uint32_t window_fill_oldest_mask = 0xffff0000;
inline constexpr std::uint32_t mailbox_doorbell = 0x100;
inline constexpr std::uint32_t mailbox_sequence = 0x104;
inline constexpr std::uint32_t mailbox_set = 0x108;
inline constexpr std::uint32_t mailbox_features = 0x200;
inline constexpr std::uint32_t mailbox_answer = 0x400;

}  // namespace pyorch::fabric_registers
