"""A shopper, a seller and an admin by the client that openapi-python-client makes of the document."""

import base64
import io
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from microbazaar_client import AuthenticatedClient
from microbazaar_client.api.auth import add_address, get_me, list_addresses, login, logout, register, remove_address
from microbazaar_client.api.cart import add_cart_item, clear_cart, get_cart, set_cart_item
from microbazaar_client.api.inventory import get_stock
from microbazaar_client.api.operations import get_health, get_readiness, get_root, list_mails
from microbazaar_client.api.orders import cancel_order, deliver_order, get_order, list_my_orders, place_order, ship_order
from microbazaar_client.api.payments import create_payment, get_payment_of_order, pay_in_sandbox, refund_payment, verify_payment
from microbazaar_client.api.products import (
    add_product_images, create_product, delete_product, get_product, list_my_products, list_products, update_product,
)
from microbazaar_client.api.seller import get_sales_metrics, list_sold_orders, list_sold_products
from microbazaar_client.api.webhooks import (
    change_webhook, delete_webhook, get_webhook, list_webhook_deliveries, list_webhooks, ping_webhook,
    redeliver_webhook_delivery, register_webhook, rotate_webhook_secret,
)
from microbazaar_client.models import (
    AddBody, AddressBody, AddressesView, CartAnswer, CheckoutResultView, CheckoutView, ErrorBody, ImagesForm,
    ListMyOrdersStatus, ListProductsSort, LoginBody, MetricsView, MoneyInput, OrderAnswer, OrdersAnswer, OrderViewStatus,
    PatchBody, PaymentAnswer, PlaceBody, ProductBody, ProductCreatedView, ProductForm, ProductView, RefundAnswer,
    RefundBody, RegisterBody, RegisterRole, SandboxBody, SandboxOutcome, SecretBody, SessionAnswer, SetBody, ShipBody,
    ShippingAddressBody, StockView, UserAnswer, VerifiedAnswer, VerifyBody, WebhookAnswer, WebhookBody,
    WebhookDeliveryAnswer, WebhookPatchBody, WebhookView,
)
from microbazaar_client.types import UNSET, File, Response

BASE, HOOK, PASSWORD = sys.argv[1:4]
DEADLINE = 15.0
NOW = int(time.time() * 1000)
T = TypeVar("T")


def got(answer: Response[Any], kind: type[T], status: int = 200) -> T:
    """What was answered, read as what the document says."""
    assert answer.status_code == status, answer.content
    assert isinstance(answer.parsed, kind), answer.content
    return answer.parsed


def rows(answer: Response[Any], kind: type[T]) -> list[T]:
    found = got(answer, list)
    assert all(isinstance(row, kind) for row in found), answer.content
    return found


def refused(answer: Response[Any], status: int) -> str:
    return got(answer, ErrorBody, status).code


def until(what: str, ask: Callable[[], T | None]) -> T:
    ends = time.monotonic() + DEADLINE
    while time.monotonic() < ends:
        found = ask()
        if found is not None:
            return found
        time.sleep(0.1)
    raise TimeoutError(what)


def client(token: str) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=BASE, token=token, raise_on_unexpected_status=True)


# The generator asks for a token wherever the document allows one.
guest = client("none")


def registered(role: RegisterRole) -> AuthenticatedClient:
    email = f"python-{role}-{NOW}@example.com"
    body = RegisterBody(email=email, password="a long password 1", role=role)
    got(register.sync_detailed(client=guest, body=body), SessionAnswer, 201)
    session = got(login.sync_detailed(client=guest, body=LoginBody(email=email, password="a long password 1")), SessionAnswer)
    assert session.user.role == role.value and session.user.created_at.tzinfo is not None
    return client(session.token)


seller, buyer = registered(RegisterRole.SELLER), registered(RegisterRole.USER)
assert refused(login.sync_detailed(client=guest, body=LoginBody(username="nobody", password="wrong")), 401) == "auth.bad_credentials"
assert got(get_me.sync_detailed(client=buyer), UserAnswer).user.addresses == []

# Products: one as JSON, one as a form with a picture.
plain = got(create_product.sync_detailed(client=seller, body=ProductBody(title="Tin lamp", price_amount=100)), ProductCreatedView, 201)
pixel = base64.b64decode("R0lGODdhAQABAIAAAP///////ywAAAAAAQABAAACAkQBADs=")


def picture() -> File:
    return File(io.BytesIO(pixel), "lamp.gif", "image/gif")


form = ProductForm(title="Brass lamp", price_amount=499.5, stock=5, category="Home", images=[picture()])
product = got(create_product.sync_detailed(client=seller, body=form), ProductCreatedView, 201).product
assert product.price.amount == 499.5 and len(product.images) == 1
got(add_product_images.sync_detailed(product.field_id, client=seller, body=ImagesForm(images=[picture()])), ProductView)
patch = PatchBody(price=MoneyInput(amount=450), stock=6, stock_seen=5, description="Warm light")
assert got(update_product.sync_detailed(product.field_id, client=seller, body=patch), ProductView).stock == 6
assert refused(update_product.sync_detailed(product.field_id, client=buyer, body=PatchBody(title="Mine")), 403) == "auth.forbidden"
assert got(get_product.sync_detailed(product.field_id, client=guest), ProductView).price.amount == 450
assert refused(get_product.sync_detailed("0" * 24, client=guest), 404) == "not_found"
assert len(rows(list_my_products.sync_detailed(client=seller, limit=10), ProductView)) == 2
until("the product in the search", lambda: next((found for found in rows(
    list_products.sync_detailed(client=guest, q="brass lamp", sort=ListProductsSort.NEWEST, minprice=100, category="Home", limit=50),
    ProductView) if found.field_id == product.field_id), None))
assert got(get_stock.sync_detailed(product.field_id, client=guest), StockView).available == 6

# A webhook.
made = got(register_webhook.sync_detailed(client=seller, body=WebhookBody(url=HOOK, events=["order.*"])), WebhookAnswer, 201).webhook
hook = made.field_id
assert isinstance(made.secret, str) and made.secret.startswith("whsec_")
assert rows(list_webhooks.sync_detailed(client=seller), WebhookView)[0].url == HOOK
assert got(get_webhook.sync_detailed(hook, client=seller), WebhookView).active
assert got(change_webhook.sync_detailed(hook, client=seller, body=WebhookPatchBody(events=["*"])), WebhookAnswer).webhook.events == ["*"]
got(rotate_webhook_secret.sync_detailed(hook, client=seller, body=SecretBody()), WebhookAnswer)
assert got(ping_webhook.sync_detailed(hook, client=seller), WebhookDeliveryAnswer, 202).delivery.type_ == "ping"

# A purchase.
assert got(get_cart.sync_detailed(client=buyer), CartAnswer).cart.items == []
assert refused(place_order.sync_detailed(client=buyer), 400) == "order.empty_cart"
assert refused(add_cart_item.sync_detailed(client=buyer, body=AddBody(product_id=product.field_id, quantity=1000)), 400) == "request.invalid"
short = got(add_cart_item.sync_detailed(client=buyer, body=AddBody(product_id=product.field_id, quantity=7)), ErrorBody, 409)
assert short.additional_properties["available"] == 6
got(add_cart_item.sync_detailed(client=buyer, body=AddBody(product_id=product.field_id, quantity=1)), CartAnswer)
cart = got(set_cart_item.sync_detailed(product.field_id, client=buyer, body=SetBody(quantity=3)), CartAnswer)
assert cart.totals.subtotal is not None and cart.totals.subtotal.amount == 1350
address = {"street": "12 Lake Road", "city": "Pune", "state": "Maharashtra", "zip": "411001", "country": "IN"}
saved = got(add_address.sync_detailed(client=buyer, body=AddressBody.from_dict({**address, "isDefault": True})), AddressesView, 201).addresses
assert saved[0].state == "MH"
assert len(got(list_addresses.sync_detailed(client=buyer), AddressesView).addresses) == 1
bad = PlaceBody(shipping_address=ShippingAddressBody.from_dict({**address, "zip": "x"}))
refused(place_order.sync_detailed(client=buyer, body=bad), 422)
to = PlaceBody(shipping_address=ShippingAddressBody.from_dict(address))
order = got(place_order.sync_detailed(client=buyer, body=to, idempotency_key=f"order-{NOW}"), OrderAnswer, 201).order
assert order.status is OrderViewStatus.PENDING and order.payment is UNSET
checkout = got(create_payment.sync_detailed(order.field_id, client=buyer), CheckoutView, 201)
paid = got(pay_in_sandbox.sync_detailed(checkout.razorpay_order_id, client=buyer, body=SandboxBody(outcome=SandboxOutcome.SUCCESS)), CheckoutResultView)
refused(verify_payment.sync_detailed(client=buyer, body=VerifyBody.from_dict({**paid.to_dict(), "razorpay_signature": "00"})), 400)
verified = got(verify_payment.sync_detailed(client=buyer, body=VerifyBody.from_dict(paid.to_dict())), VerifiedAnswer)
assert verified.payment.status == "SUCCESSFUL"
assert got(get_payment_of_order.sync_detailed(order.field_id, client=buyer), PaymentAnswer).payment.price.amount == order.total_price.amount


def confirmed() -> bool | None:
    return got(get_order.sync_detailed(order.field_id, client=buyer), OrderAnswer).order.status is OrderViewStatus.CONFIRMED or None


until("the order is confirmed", confirmed)
assert got(list_my_orders.sync_detailed(client=buyer, status=ListMyOrdersStatus.CONFIRMED), OrdersAnswer).pagination.total == 1


# The seller's dashboard.
def counted() -> MetricsView | None:
    found = got(get_sales_metrics.sync_detailed(client=seller, from_="2020-01-01"), MetricsView)
    return found if found.orders_by_status.additional_properties.get("CONFIRMED") == 1 else None


metrics = until("the sale in the metrics", counted)
assert metrics.sales == 3 and metrics.revenue[0].amount == 1350 and metrics.top_products[0].title == "Brass lamp"
assert got(list_sold_orders.sync_detailed(client=seller, to_ship=True), list)[0].items[0].quantity == 3
assert {row.title: row.sold for row in got(list_sold_products.sync_detailed(client=seller), list)} == {"Brass lamp": 3, "Tin lamp": 0}
assert refused(list_sold_products.sync_detailed(client=buyer), 403) == "auth.forbidden"
assert got(ship_order.sync_detailed(order.field_id, client=seller, body=ShipBody(tracking_number="TRACK-1")), OrderAnswer).order.status == "SHIPPED"
assert got(deliver_order.sync_detailed(order.field_id, client=seller), OrderAnswer).order.status == "DELIVERED"
assert refused(cancel_order.sync_detailed(order.field_id, client=buyer), 409) == "order.wrong_state"


# What the webhook was told.
def delivered() -> list[Any] | None:
    found = got(list_webhook_deliveries.sync_detailed(hook, client=seller, limit=50), list)
    return found if len(found) > 2 and all(one.state == "delivered" for one in found) else None


delivery = until("the deliveries", delivered)[0]
assert delivery.attempts[0].status == 200
got(redeliver_webhook_delivery.sync_detailed(hook, delivery.field_id, client=seller), WebhookDeliveryAnswer, 202)
assert delete_webhook.sync_detailed(hook, client=seller).status_code == 204
refused(get_webhook.sync_detailed(hook, client=seller), 404)

# An admin gives a part back.
admin = client(got(login.sync_detailed(client=guest, body=LoginBody(email="admin@example.com", password=PASSWORD)), SessionAnswer).token)
back = RefundBody(amount=MoneyInput(amount=10), reason="scratched")
assert got(refund_payment.sync_detailed(checkout.payment.field_id, client=admin, body=back), RefundAnswer, 201).refund.amount.amount == 10

# The end.
got(clear_cart.sync_detailed(client=buyer), CartAnswer)
assert got(remove_address.sync_detailed(saved[0].field_id, client=buyer), AddressesView).addresses == []
assert delete_product.sync_detailed(plain.product.field_id, client=seller).status_code == 204
assert logout.sync_detailed(client=buyer).status_code == 200
assert refused(get_me.sync_detailed(client=buyer), 401) == "auth.invalid_token"
program = guest.with_headers({"accept": "application/json"})  # where browsers get a page
for page in (get_health, get_readiness, get_root, list_mails):
    assert page.sync_detailed(client=program).parsed is not None
