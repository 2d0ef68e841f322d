//! A seller keeps her shop: products, pictures, files, orders.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage};

use super::{Browser, TestApp};

fn picture(shade: u8) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let drawn = DynamicImage::ImageRgb8(RgbImage::from_pixel(30, 30, image::Rgb([shade, 80, 90])));
    drawn.write_to(&mut out, ImageFormat::Png).unwrap();
    out.into_inner()
}

const LAMP: [(&str, &str); 6] = [
    ("title", "Lamp <script>alert(1)</script>"),
    ("description", "Warm & bright"),
    ("price", "1234.50"),
    ("currency", "INR"),
    ("stock", "7"),
    ("category", "Light"),
];

async fn seller(app: &TestApp, name: &str) -> Browser {
    app.seller(name).await;
    let browser = Browser::new(app);
    assert_eq!(browser.log_in(name).await.path, "/seller");
    browser
}

#[actix_web::test]
async fn a_seller_offers_changes_and_takes_down_a_product_with_pictures() {
    let app = TestApp::spawn().await;
    let browser = seller(&app, "mira").await;
    browser.open("/seller").await.has("Nothing waits to be shipped").has("No sales in the last 30 days");
    let form = browser.open("/seller/products/new").await;
    let action = "/seller/products/new";
    let wrong = [("title", " "), ("price", "1.234"), ("stock", "-1"), ("currency", "EUR")];
    let refused = browser.upload(&form, action, &wrong, &[]).await;
    assert_eq!(refused.status, 400);
    refused
        .has("Say what it is called.")
        .has("Enter a whole number")
        .has("at most two decimals")
        .has("Choose INR or USD.");
    refused.has("value=\"1.234\"");
    let text = vec![("images", "a.png", b"no picture".to_vec())];
    let refused = browser.upload(&form, action, &LAMP, &text).await;
    assert_eq!(refused.status, 400);
    refused.has("Choose JPEG, PNG, WebP or GIF pictures").has("value=\"1234.50\"");
    let six: Vec<_> = (0..6).map(|n| ("images", "a.png", picture(n))).collect();
    browser.upload(&form, action, &LAMP, &six).await.has("A product has at most 5 pictures");

    let two = [("images", "a.png", picture(1)), ("images", "b.png", picture(200))];
    let made = browser.upload(&form, action, &LAMP, &two).await;
    assert_eq!(made.status, 200);
    made.has("is on offer now").has("Lamp &#60;script&#62;").lacks("<script>alert");
    let page = made.path.clone();
    assert_eq!(made.body.matches("/remove\" method").count(), 2);
    let remove = made.body.split("action=\"").find(|part| part.contains("/remove\"")).unwrap();
    let removed = browser.submit(&made, remove.split('"').next().unwrap(), &[]).await;
    removed.has("The picture is removed.");
    assert_eq!(removed.body.matches("/remove\" method").count(), 1);
    let changed =
        [("title", "Floor lamp"), ("price", "99"), ("currency", "USD"), ("stock", "3"), ("category", "Light")];
    let saved = browser.upload(&removed, &page, &changed, &[("images", "c.png", picture(3))]).await;
    saved.has("Floor lamp is saved.").has("value=\"99\"").has("value=\"3\"");
    assert_eq!(saved.body.matches("/remove\" method").count(), 2);
    let list = browser.open("/seller/products?q=floor+light").await;
    list.has("Floor lamp").has("$99.00").has(">3</span>");
    browser.open("/seller/products?q=chair").await.has("None of your products match");
    browser.open("/seller").await.has("Runs low").has("Floor lamp");

    let other = seller(&app, "ravi").await;
    assert_eq!(other.get(&page).await.status, 403);
    assert_eq!(other.get(&format!("{page}/delete")).await.status, 403);
    let own = other.open(action).await;
    let stolen: Vec<_> = LAMP.into_iter().chain([("csrf", "")]).collect();
    assert_eq!(other.submit(&own, action, &stolen).await.status, 403, "a form needs its token");
    let ask = browser.open(&format!("{page}/delete")).await;
    let gone = browser.submit(&ask, &format!("{page}/delete"), &[]).await;
    gone.has("The product is deleted.").has("You offer nothing yet");
    assert_eq!(browser.get(&page).await.status, 404);
    app.shutdown().await;
}

#[actix_web::test]
async fn only_sellers_get_a_sellers_pages() {
    let app = TestApp::spawn().await;
    let guest = Browser::new(&app);
    for path in ["/seller", "/seller/orders", "/seller/products", "/seller/products.csv", "/seller/products/new"] {
        assert!(guest.open(path).await.path.starts_with("/login?next="), "{path}");
    }
    guest.sign_up("asha").await;
    for path in
        ["/seller", "/seller/orders", "/seller/products.csv", "/seller/products/import", "/admin", "/admin/users"]
    {
        let refused = guest.get(path).await;
        assert_eq!(refused.status, 403, "{path}");
        refused.has("That is not open to you");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn an_order_is_shipped_and_delivered_by_its_seller() {
    let app = TestApp::spawn().await;
    let browser = seller(&app, "mira").await;
    let list = browser.open("/seller/products").await;
    list.has("You offer nothing yet");
    let form = browser.open("/seller/products/new").await;
    let product = browser.upload(&form, "/seller/products/new", &LAMP, &[]).await.path;
    let product = product.rsplit('/').next().unwrap().to_owned();
    let asha = app.user("asha").await;
    let order = app.order(&asha, &product, 2).await;
    app.settle().await;
    browser.open("/seller").await.has("Nothing waits to be shipped");
    app.pay(&asha, &order).await;
    app.settle().await;
    let desk = browser.open("/seller").await;
    desk.has("₹2,469.00").has("<svg class=\"chart\"").has("The same as a table").has("Mark shipped").has("Pune");
    let ship = format!("/seller/orders/{}/ship", order["_id"].as_str().unwrap());
    let other = seller(&app, "ravi").await;
    let csrf = other.open("/seller/products/new").await.field("/seller/products/new", "csrf");
    assert_eq!(other.post(&ship, &[("csrf", &csrf)]).await.status, 403, "not her order");
    let long = "x".repeat(101);
    browser.submit(&desk, &ship, &[("tracking", &long)]).await.has("at most 100 characters");
    let shipped = browser.submit(&desk, &ship, &[("tracking", "IN 42 <b>"), ("back", "desk")]).await;
    shipped.has("is marked as shipped").has("Nothing waits to be shipped");
    browser.submit(&desk, &ship, &[]).await.has("That did not work");
    let now = app.order_now(&asha, &order).await;
    assert_eq!(now["status"], "SHIPPED");
    app.settle().await;
    let orders = browser.open("/seller/orders").await;
    orders.has("Tracking IN 42 &#60;b&#62;").has("data-status=\"SHIPPED\"");
    let deliver = ship.replace("/ship", "/deliver");
    browser.submit(&orders, &deliver, &[]).await.has("is marked as delivered");
    assert_eq!(app.order_now(&asha, &order).await["status"], "DELIVERED");
    app.shutdown().await;
}

#[actix_web::test]
async fn products_go_out_to_a_file_and_come_back_row_by_row() {
    let app = TestApp::spawn().await;
    let browser = seller(&app, "mira").await;
    let path = "/seller/products/import";
    let send = async |bytes: Vec<u8>| {
        let form = browser.open(path).await;
        browser.upload(&form, path, &[], &[("file", "products.csv", bytes)]).await
    };
    let ravi = app.seller("ravi").await;
    let foreign = app.product(&ravi, "His", 5.0, 1).await;
    let file = format!(
        "title,description,price,stock,category,id\n=1+1,\"two\nlines\",10,5,Maths,\nChair,,x,1,,\nHis,,1,1,,{foreign}\n\
         -Bare,,20.50,,'=q,\n"
    );
    let done = send(file.into_bytes()).await;
    done.has("<b>2</b> new, <b>0</b> changed, <b>0</b> as before, <b>2</b> left out");
    done.has("price: enter a price above zero").has("id: there is no product of yours with this id");
    done.has("data-label=\"Line\">4</td>").has("data-label=\"Line\">5</td>");

    let exported = browser.open("/seller/products.csv").await;
    assert!(exported.header("content-disposition").contains("products.csv"));
    exported.has("'=1+1,\"two\nlines\",10,INR,5,Maths").has("'-Bare,,20.50,INR,0,'=q");
    send(exported.body.clone().into_bytes()).await.has("<b>0</b> new, <b>0</b> changed, <b>2</b> as before.");
    let changed = exported.body.replace("20.50", "21").replace("'-Bare", "Bare");
    send(changed.into_bytes()).await.has("<b>0</b> new, <b>1</b> changed, <b>1</b> as before.");
    let again = browser.open("/seller/products.csv").await;
    again.has(",Bare,,21,INR,0,").has("'=1+1");
    assert_eq!(app.get(&format!("/api/products/{foreign}")).send().await.expect(200)["title"], "His");

    for (bytes, told) in [
        (b"name,cost\nx,1\n".to_vec(), "The file has no column title"),
        (b"title,price\n".to_vec(), "The file has no rows"),
        (b"title,price\n\xff\xfe,1\n".to_vec(), "line 2 cannot be read"),
        (picture(1), "The file"),
    ] {
        let refused = send(bytes).await;
        assert_eq!(refused.status, 400);
        assert!(refused.body.to_lowercase().contains(&told.to_lowercase()), "{told}: {}", refused.body);
    }
    let form = browser.open(path).await;
    browser.upload(&form, path, &[], &[]).await.has("Choose a CSV file.");
    app.shutdown().await;
}
