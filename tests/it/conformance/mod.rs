//! The requirements on every store adapter.
//!
//! Each check takes [`Stores`] that are empty at first. One call of [`conformance_suite!`] with an `async fn` that
//! opens an adapter runs the suite over it: the function returns the stores, and a value that must live as long as
//! they do. All events are kept except `STOCK_CHANGED`.

mod accounts;
mod admin;
mod carts;
mod conversations;
mod dashboard;
mod documents;
mod imports;
mod inventory;
mod mailbox;
mod make;
mod mongo;
mod orders;
mod outbox;
mod payments;
mod pictures;
mod products;
mod sqlite;
mod webhooks;

/// Makes a test of every check, over the adapter that `$open` opens.
macro_rules! conformance_suite {
    ($open:path: $($room:ident :: { $($check:ident),* $(,)? })*) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                let Some((stores, _alive)) = $open().await else { return };
                $crate::conformance::$room::$check(&stores).await;
            }
        )*)*
    };
    ($open:path) => {
        $crate::conformance::conformance_suite! { $open:
            accounts::{
                a_user_is_found_by_id_email_and_name, a_stale_user_is_a_conflict,
                one_of_many_registrations_of_an_email_wins, a_name_can_be_changed_but_not_to_a_taken_one,
                a_refused_user_leaves_no_event, users_of_a_role_are_found, dead_tokens_are_forgotten_when_they_expire,
                a_token_is_dead_once_it_is_killed, blocked_users_are_listed,
            }
            carts::{
                a_cart_is_kept_with_its_version, a_second_cart_of_a_user_is_a_conflict,
                of_many_writers_of_one_version_one_wins,
            }
            conversations::{
                a_conversation_is_kept_with_its_version, a_user_pages_through_her_conversations,
                a_deleted_conversation_stays_deleted, old_conversations_expire_some_at_a_time,
                what_was_spent_adds_up_by_user_and_day,
            }
            documents::{
                a_document_is_written_with_the_version_that_was_read, a_unique_key_is_taken_by_one_and_names_itself,
                documents_without_a_key_are_not_in_its_index, documents_are_paged_in_the_order_of_an_index,
                a_document_that_was_deleted_stays_so, what_a_query_finds_is_deleted_some_at_a_time,
                of_many_that_write_one_version_one_wins, many_writes_at_once_are_answered_each_for_itself,
                a_due_document_is_claimed_by_one, changes_of_many_add_up, events_wait_in_the_order_of_their_writes,
                events_that_nobody_carries_on_come_out_once_in_their_order, a_document_is_stored_under_a_name,
            }
            products::{
                a_product_is_kept_until_it_is_deleted, a_stale_product_is_a_conflict,
                many_products_are_written_all_or_none, a_seller_pages_through_her_products,
                changes_are_followed_by_sequence, a_sequence_is_never_given_out_twice,
            }
            imports::{
                an_import_keeps_its_rows_until_it_is_finished, imports_that_are_not_finished_are_found_when_they_are_due,
            }
            inventory::{
                available_is_set_beside_what_is_reserved, available_is_set_only_if_it_is_what_was_seen, reserving_holds_all_lines_or_none,
                reserving_again_changes_nothing, lines_of_one_product_are_added_up,
                a_committed_reservation_is_sold_once, releasing_gives_back_held_and_sold_units,
                an_unknown_order_that_is_released_cannot_reserve, released_stock_can_be_retaken,
                a_late_echo_of_an_overruled_decision_changes_nothing,
                held_reservations_expire_and_committed_do_not, two_hundred_buyers_get_fifty_units,
                calls_on_nothing_are_refused,
            }
            admin::{
                admins_page_backwards_through_users_orders_and_payments, a_dead_token_can_be_revived,
            }
            orders::{
                an_order_is_kept_with_its_events, a_stale_order_is_a_conflict_and_leaves_no_event,
                a_cart_version_makes_one_order, a_key_is_used_once_until_it_expires, the_same_order_again_is_a_conflict,
                a_user_pages_through_their_orders, due_orders_come_longest_due_first, all_orders_are_walked_by_id,
                no_more_orders_are_unpaid_than_are_allowed, an_order_that_was_refused_takes_no_place,
                unpaid_orders_are_walked_by_id,
            }
            payments::{
                a_payment_is_found_by_id_order_and_gateway_order, an_order_has_one_payment,
                a_stale_payment_is_a_conflict, due_payments_come_longest_due_first, all_payments_are_walked_by_id,
                a_report_is_kept_once_and_worked_on_until_it_is_done, a_payment_is_found_by_what_paid_it, the_sandbox_keeps_its_books,
            }
            pictures::{
                a_picture_is_due_once_it_is_recorded, a_picture_is_claimed_by_one,
                what_came_of_a_picture_is_recorded, what_was_announced_is_looked_at_whatever_came_before,
                a_dropped_picture_stays_dropped,
            }
            outbox::{
                events_wait_in_order_until_settled, a_sequence_is_not_used_again, what_failed_is_parked_with_the_settling,
                a_settling_that_is_repeated_parks_nothing_twice,
                a_parked_message_is_tried_until_handled_or_dead, dead_messages_are_revived_as_new, a_write_with_events_wakes_the_waiter,
            }
            dashboard::{
                an_event_is_applied_once, an_older_order_never_overwrites_a_newer_one,
                of_two_that_make_one_row_at_once_the_newer_stays,
                metrics_count_sales_and_every_status, metrics_keep_to_the_range, two_currencies_are_two_sums,
                a_seller_pages_through_her_orders, what_is_to_be_shipped_is_found_behind_any_number_of_others,
                what_was_given_back_is_no_sale, products_show_what_they_sold, a_gone_product_stays_gone,
                reset_forgets_rows_and_events, forgetting_keeps_recent_events,
                the_seller_of_a_product_is_known_also_when_it_is_gone,
            }
            webhooks::{
                an_owner_has_a_bounded_number_of_webhooks, a_stale_webhook_is_a_conflict,
                listeners_are_the_active_ones_of_owners_and_a_role, a_delivery_is_put_in_once,
                a_delivery_is_claimed_by_one_and_recorded_by_whoever_claimed_it,
                a_slow_webhook_takes_up_its_own_places_alone, too_many_failures_switch_off_and_hold_what_waits,
                too_many_that_wait_switch_off, switching_on_ends_the_pauses_of_what_waits,
                what_is_put_in_at_any_moment_is_claimed, a_delivery_is_sent_again_when_asked_for,
                old_deliveries_are_forgotten_and_deleted_ones_are_gone,
            }
            mailbox::{
                a_mail_is_put_once_for_each_event_and_address, the_newest_mails_come_first,
                a_mail_to_be_sent_has_one_record, what_became_of_a_mail_is_recorded, a_sent_mail_stays_sent,
                failed_mails_are_listed_by_themselves, old_mails_are_forgotten_unless_they_wait,
                a_waiting_mail_is_claimed_by_one, a_mail_that_is_put_off_is_due_at_its_time,
                announcements_are_claimed_after_all_others,
            }
        }
    };
}
pub(crate) use conformance_suite;
